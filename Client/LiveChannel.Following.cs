using Microsoft.AspNetCore.SignalR;

namespace Marketplace.Client;

// The side of the connection: what is asked for, and when.
public sealed partial class LiveChannel
{
    /// <summary>Follows the channel over a link until that ends: asks for what was missed, and again whenever something is.</summary>
    internal async Task KeepAsync(LiveLink link, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _cursor.Lose();
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Left.Token);
        Task? sending = null;
        try
        {
            for (var failures = 0; ;)
            {
                if (!TryAsk(out var after))
                {
                    await _wake.WaitAsync(either.Token).ConfigureAwait(false);
                    continue;
                }

                try
                {
                    Take(await link.ResumeAsync(Name, after, either.Token).ConfigureAwait(false));
                    failures = 0;
                }
                catch (HubException error) when (_options.IsTransient(error))
                {
                    Do(_cursor.Unanswered);
                    await Task.Delay(_policy.DelayAfter(++failures), _options.Clock, either.Token).ConfigureAwait(false);
                    continue;
                }

                sending ??= SendAllAsync(link, either.Token);
                await SettleAsync(either.Token).ConfigureAwait(false);
            }
        }
        catch (HubException error)
        {
            _owner.Refuse(this, new($"{Name}: {error.Message}", error));
        }
        catch (Exception) when (either.IsCancellationRequested)
        {
            // The link has another in its place, or the channel was left.
        }
        catch (Exception error)
        {
            link.Break(error);
        }

        await either.CancelAsync().ConfigureAwait(false);
        await (sending ?? Task.CompletedTask).ConfigureAwait(false);
    }

    private bool TryAsk(out LiveStamp? after)
    {
        lock (_lock)
        {
            after = null;
            if (!_cursor.IsBehind || !HasRoom)
            {
                return false;
            }

            _wake.Reset();
            after = _cursor.Ask();
            return true;
        }
    }

    private void Take(ResumeAnswer answer)
    {
        lock (_lock)
        {
            var isFirst = _cursor.Last is null;
            if (_cursor.Answer(answer.Stamp, answer.IsReload))
            {
                _queue.Writer.TryWrite(new LiveReload(answer.Stamp));
            }
            else if (isFirst)
            {
                _position ??= _cursor.Last; // a later run goes on from here, even if nothing is said until then
            }
        }
    }

    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        if (!Do(() => _cursor.IsSettled))
        {
            await _wake.WaitAsync(_options.SettleTime, _options.Clock, cancellationToken).ConfigureAwait(false);
        }

        var fruitless = Do(() =>
        {
            if (_cursor.Settle() is { } goOn)
            {
                _queue.Writer.TryWrite(new LiveReload(goOn));
            }

            return _cursor.Fruitless;
        });
        if (fruitless > 0)
        {
            await Task.Delay(_policy.DelayAfter(fruitless), _options.Clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task SendAllAsync(LiveLink link, CancellationToken cancellationToken)
    {
        try
        {
            await _sends.SendAllAsync(link, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // What is left goes over the next link.
        }
        catch (Exception error)
        {
            link.Break(error);
        }
    }
}
