namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// Counting by outcome: gives a request's permits back unless its response says that it counts. When the response starts, so that
/// the client's next request finds them; when it has ended, if it never started.
/// </summary>
internal sealed class OutcomeCount
{
    private readonly HttpContext _context;
    private readonly BucketLease _lease;
    private readonly Func<HttpContext, bool> _counts;
    private bool _isDecided;

    private OutcomeCount(HttpContext context, BucketLease lease, Func<HttpContext, bool> counts) =>
        (_context, _lease, _counts) = (context, lease, counts);

    public static void Watch(HttpContext context, BucketLease lease, Func<HttpContext, bool> counts)
    {
        var outcome = new OutcomeCount(context, lease, counts);
        context.Response.OnStarting(static state => ((OutcomeCount)state).DecideAsync(), outcome);
        context.Response.OnCompleted(static state => ((OutcomeCount)state).DecideAsync(), outcome);
    }

    private Task DecideAsync()
    {
        if (!_isDecided)
        {
            _isDecided = true;
            if (!_counts(_context))
            {
                _lease.GiveBack();
            }
        }

        return Task.CompletedTask;
    }
}
