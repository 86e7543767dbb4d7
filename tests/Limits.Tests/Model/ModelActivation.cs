using Marketplace.Grains.Limits;
using Marketplace.Grains.Limits.Pools;
using Marketplace.Limits;

namespace Limits.Tests.Model;

/// <summary>
/// An activation of the bucket's grain, step by step as BucketGrain does it: one exchange at a time with its writes and its recall,
/// and hand-backs in between.
/// </summary>
internal sealed class ModelActivation(World world)
{
    private static readonly TimeSpan RecallWithin = TimeSpan.FromMilliseconds(500);
    private static int _lots;

    private readonly TimeSpan _startedAt = world.Now;
    private readonly Queue<(PermitRequest Request, Action<(PermitGrant Grant, long Window)?> Reply)> _inbox = new();
    private Bucket? _bucket;
    private long? _etag;
    private long _window;
    private bool _isBusy;
    private bool _isDead;
    private (long Round, Action Continue)? _recall;

    private TimeSpan Now => world.Now - _startedAt;

    public void Exchange(PermitRequest request, Action<(PermitGrant Grant, long Window)?> reply)
    {
        world.Silent.Heard(request.Holder);
        _inbox.Enqueue((request, reply));
        Next();
    }

    public void HandBack(PermitHandBack handBack, Action<bool> reply)
    {
        if (_isDead)
        {
            return;
        }

        world.Silent.Heard(handBack.Holder);

        if (_bucket is not { } bucket)
        {
            Wake(handBack, reply);
            return;
        }

        var taken = bucket.TryHandBack(handBack, Now);
        Trace($"hand-back {handBack.Holder.ToString()[..4]} {handBack.Returned} held {handBack.Held} seen {handBack.Seen}: {taken}");
        reply(taken);
        if (_recall is { } recall && bucket.IsAnswered(recall.Round))
        {
            recall.Continue();
        }

        foreach (var refused in bucket.TakeReopened(Now))
        {
            world.Send(() => refused.Reopened(""));
        }
    }

    /// <summary>What comes back to a bucket that has left memory opens it, if its row says who holds what.</summary>
    private void Wake(PermitHandBack handBack, Action<bool> reply)
    {
        if (handBack.Returned.Count == 0 || !world.Store.HasHandOver)
        {
            reply(true);
            return;
        }

        if (_isBusy)
        {
            return; // it waits its turn; to its sender that is no answer
        }

        _isBusy = true;
        Open(
            request: null,
            () =>
            {
                _isBusy = false;
                HandBack(handBack, reply);
                Next();
            },
            () =>
            {
                _isBusy = false;
                Next();
            });
    }

    /// <summary>The process dies; statements that it sent may still arrive.</summary>
    public void Crash()
    {
        _isDead = true;
        world.Activations.Remove(this);
    }

    /// <summary>Leaves in order: hands over what it knows.</summary>
    public void Leave()
    {
        if (_bucket is { } bucket && !_isBusy)
        {
            _bucket = null;
            _isDead = true;
            var exact = bucket.Pool.Exact(Now);
            Trace($"leaves {string.Join(',', exact.State.ToNumbers())}");
            world.Store.Write(new("", exact.State, exact.Life, _etag, bucket.HandOver(holder => ((ModelFrontend.Ear)holder).Name, Now)?.ToJson()), _window, _ => world.Activations.Remove(this));
        }
    }

    /// <summary>What counts as used, for a look from outside.</summary>
    public BucketView? View => _bucket?.View(Now);

    private void Trace(FormattableString what)
    {
        world.Trace($"    activation {GetHashCode() % 1000}: {what}");
    }

    private void Next()
    {
        if (_isBusy || _isDead || !_inbox.TryDequeue(out var call))
        {
            return;
        }

        _isBusy = true;
        if (_bucket is null)
        {
            Open(call.Request, Hear, () => Fail(call.Reply));
        }
        else
        {
            Hear();
        }

        void Hear()
        {
            _bucket!.Hear(call.Request, Now);
            Persist(call.Request, mayRecall: true, call.Reply);
        }
    }

    private void Open(PermitRequest? request, Action opened, Action failed)
    {
        var bucket = new Bucket(PermitPool.For(world.Scenario.Policy, NewLot()), policyVersion: 0, NewLot());
        var first = (request is { } asked ? bucket.Prepare(asked, Now) : null) ?? bucket.Pool.Exact(Now);
        var askedAt = Now;
        world.Store.Open(new("", first.State, first.Life, Etag: null), outcome =>
        {
            if (_isDead)
            {
                return;
            }

            Trace($"open -> {outcome?.Outcome?.Etag} {outcome?.Window} {outcome?.Outcome?.Existing is null}");
            if (outcome is not ({ } row, var rowsWindow))
            {
                failed();
                return;
            }

            _etag = row.Etag;
            _window = rowsWindow;
            if (row.Existing is not { } existing)
            {
                bucket.Pool.Commit(first, slack: Now - askedAt);
            }
            else
            {
                bucket.Pool.Restore(existing.State, existing.Age, askedAt, Now);
                if (existing.HandOver is { } handOver)
                {
                    bucket.TakeOver(BucketHandOver.FromJson(handOver), existing.Age, askedAt, CallbackOf, Now);
                }
            }

            _bucket = bucket;
            opened();
        });
    }

    private void Persist(PermitRequest request, bool mayRecall, Action<(PermitGrant, long)?> reply)
    {
        var bucket = _bucket!;
        if (bucket.Prepare(request, Now) is { } reservation)
        {
            long? window = reservation.Opens ? null : _window;
            world.Store.Write(new("", reservation.State, reservation.Life, _etag), window, outcome =>
            {
                if (_isDead)
                {
                    return;
                }

                Trace($"write window {window} {string.Join(',', reservation.State.ToNumbers())} -> {outcome?.Etag}");
                if (outcome is not ({ } etag, var named))
                {
                    (_bucket, _etag) = (null, null);
                    Fail(reply);
                    return;
                }

                (_etag, _window) = (etag, named);
                bucket.Pool.Commit(reservation);
                Persist(request, mayRecall, reply);
            });
            return;
        }

        if (mayRecall && bucket.IsShortOf(request, Now) && bucket.Recall(request.Holder, world.Silent, Now) is { Targets.Count: > 0 } recall)
        {
            Recall(bucket, recall, () => Persist(request, mayRecall: false, reply));
            return;
        }

        var grant = bucket.Answer(request, Now);
        Trace($"answers {request.Holder.ToString()[..4]} {request.Sequence} held {request.Held}: {grant.Granted} of window {_window}, in hand {grant.InHand}, left {grant.Remaining}");
        var windowOfGrant = _window;
        world.Send(() => reply((grant, windowOfGrant)));
        _isBusy = false;
        Next();
    }

    private void Recall(Bucket bucket, (long Round, List<RecallTarget> Targets) recall, Action afterwards)
    {
        var isDone = false;
        _recall = (recall.Round, Done);
        foreach (var target in recall.Targets)
        {
            world.Send(() => target.Callback.Recall("", recall.Round, target.Answered));
        }

        world.At(RecallWithin, () =>
        {
            if (!isDone && !_isDead)
            {
                bucket.GiveUp(recall.Round, world.Silent);
                Done();
            }
        });

        void Done()
        {
            if (!isDone && !_isDead)
            {
                isDone = true;
                _recall = null;
                afterwards();
            }
        }
    }

    private void Fail(Action<(PermitGrant, long)?> reply)
    {
        world.Send(() => reply(null));
        _isBusy = false;
        Next();
    }

    private IPermitHolder CallbackOf(string id) => world.Ears[id];

    private static long NewLot() => Interlocked.Increment(ref _lots) * 1_000_000L;
}
