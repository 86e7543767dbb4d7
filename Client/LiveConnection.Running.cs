using System.Net;

namespace Marketplace.Client;

// One loop holds one link after the other. Only when a server drains are there two for a moment: the next one is opened before the
// old one is cut, and takes over by Resume; if it can't be opened (a user at his cap of connections, say), the old one is let go
// first, like one that broke.
public sealed partial class LiveConnection
{
    private int _failures;
    private int _url;
    private bool _skipNegotiation;

    private async Task RunAsync()
    {
        Exception? reason = null;
        try
        {
            LiveLink? next = null;
            while (true)
            {
                next = await HoldAsync(next ?? await OpenAsync(null).ConfigureAwait(false)).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped.
        }
        catch (Exception error)
        {
            reason = error; // refused; or the application's settings throw, which they would again
        }

        Close(reason);
    }

    /// <summary>Holds a link until it ends, or drains; returns the one that has taken its place, if there is one already.</summary>
    private async Task<LiveLink?> HoldAsync(LiveLink link)
    {
        var openedAt = _options.Clock.GetTimestamp();
        var work = new Work(link, _stop.Token);
        lock (_lock)
        {
            _work = work;
            _channels.ForEach(channel => work.Add(channel, _leaving));
        }

        Become(new(LiveState.Connected));
        _connected.TrySetResult();
        LiveLink? next = null;
        var isHandover = false;
        try
        {
            await Task.WhenAny(link.Ended, link.Draining).WaitAsync(_stop.Token).ConfigureAwait(false);
            if (!link.Ended.IsCompleted)
            {
                var wait = await link.Draining.ConfigureAwait(false) + _policy.Jitter(_options.DrainJitter);
                await Task.WhenAny(link.Ended, Task.Delay(wait, _options.Clock, _stop.Token)).ConfigureAwait(false);
                _stop.Token.ThrowIfCancellationRequested();
            }

            _url++; // once: at the cap the next address is asked again, and not the one that drains
            isHandover = !link.Ended.IsCompleted; // from here on it may be the next one that it is replaced by
            next = isHandover ? await TryOpenAsync(link).ConfigureAwait(false) : null;
        }
        finally
        {
            lock (_lock)
            {
                _work = null;
            }

            await work.EndAsync().ConfigureAwait(false);
            await link.DisposeAsync().ConfigureAwait(false);
        }

        if (next is null)
        {
            if (link.Refusal is { } refusal && !isHandover)
            {
                throw refusal;
            }

            _failures = _options.Clock.GetElapsedTime(openedAt) < _options.StableAfter ? _failures + 1 : 1;
            await WaitAsync(retryAfter: null, await link.Ended.ConfigureAwait(false)).ConfigureAwait(false);
        }

        return next;
    }

    /// <summary>Opens a link, however often that has to be tried.</summary>
    private async Task<LiveLink> OpenAsync(Exception? before)
    {
        for (var isTokenRefused = false; ;)
        {
            Become(new(LiveState.Connecting, Error: before));
            try
            {
                return await OpenOnceAsync(isTokenRefused).ConfigureAwait(false);
            }
            catch (LiveOpenException error)
            {
                before = error;
                if (error.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
                {
                    isTokenRefused = isTokenRefused ? throw new LiveRefusedException("The access token was refused, and a fresh one too.", error) : true;
                    continue;
                }

                _failures++;
                _url++;
                if (!IsElsewhere(error))
                {
                    await WaitAsync(error.RetryAfter, error).ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>Opens the link that takes an old one's place; null if that doesn't succeed.</summary>
    private async Task<LiveLink?> TryOpenAsync(LiveLink old)
    {
        var opening = TryOpenAsync();
        if (await Task.WhenAny(opening, old.Ended).ConfigureAwait(false) != opening)
        {
            Become(new(LiveState.Connecting, Error: await old.Ended.ConfigureAwait(false)));
        }

        return await opening.ConfigureAwait(false);
    }

    private async Task<LiveLink?> TryOpenAsync()
    {
        while (true)
        {
            try
            {
                return await OpenOnceAsync(isTokenRefused: false).ConfigureAwait(false);
            }
            catch (LiveOpenException error)
            {
                if (!IsElsewhere(error))
                {
                    return null;
                }
            }
        }
    }

    /// <summary>
    /// Behind a balancer that isn't sticky, the server that is reached may not be the one that negotiated: then it is asked again at
    /// once, without a negotiation. Whether that is so; the next failure in a row is never taken for this one.
    /// </summary>
    private bool IsElsewhere(LiveOpenException error) =>
        _skipNegotiation = error.IsNegotiated && !_skipNegotiation && error.Status is null or HttpStatusCode.NotFound;

    private async Task<LiveLink> OpenOnceAsync(bool isTokenRefused)
    {
        var url = _options.Urls[_url % _options.Urls.Count];
        return await LiveLink.OpenAsync(_options, url, isTokenRefused, _skipNegotiation, this, _stop.Token).ConfigureAwait(false);
    }

    private async Task WaitAsync(TimeSpan? retryAfter, Exception? error)
    {
        var delay = _policy.DelayAfter(_failures, retryAfter);
        Become(new(LiveState.Waiting, delay, error));
        await Task.Delay(delay, _options.Clock, _stop.Token).ConfigureAwait(false);
    }

    /// <summary>What is done for channels over one link.</summary>
    private sealed class Work(LiveLink link, CancellationToken stop)
    {
        private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        private readonly List<Task> _tasks = [];

        public LiveLink Link => link;

        public CancellationToken Token => _end.Token;

        /// <summary>
        /// Under the connection's lock. A room that is left already must be left before another is entered: the server is in one room,
        /// and would leave the one that is followed now if it were told later.
        /// </summary>
        public void Add(LiveChannel channel, Task leaving) => _tasks.Add(Task.Run(
            async () =>
            {
                await (channel.Room is null ? Task.CompletedTask : leaving).ConfigureAwait(false);
                await channel.KeepAsync(link, Token).ConfigureAwait(false);
            },
            CancellationToken.None));

        /// <summary>Once nothing is added any more.</summary>
        public async Task EndAsync()
        {
            await _end.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(_tasks).ConfigureAwait(false);
            _end.Dispose();
        }
    }
}
