namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>No bucket could be reached for some time, and none is tried but now and then.</summary>
internal sealed class LinkBrokenException() : Exception("No bucket can be reached at the moment.");
