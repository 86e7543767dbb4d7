using CsCheck;
using Marketplace.Grains.Limits;
using Marketplace.Limits;

namespace Grains.Tests.Limits;

/// <summary>
/// Random histories of one bucket with two activations that may both be alive, crash at any moment, lose answers and have
/// their requests repeated. Whatever happens, the permits that reached a frontend in one window are at most the limit.
/// </summary>
public sealed class BucketModelTests
{
    private const int Limit = 20;
    private const int Step = 3;
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(60);

    private static readonly Gen<Event[]> Histories = Gen.OneOf(
        Gen.Select(Gen.Int[0, 1], Gen.Int[0, 2], Gen.Int[0, 6], Gen.Bool, (activation, frontend, wanted, lost) =>
            (Event)new Ask(activation, frontend, wanted, lost)),
        Gen.Select(Gen.Int[0, 1], Gen.Int[0, 2], (activation, frontend) => (Event)new HandBack(activation, frontend)),
        Gen.Int[0, 1].Select(activation => (Event)new Crash(activation)),
        Gen.Int[1, 30].Select(seconds => (Event)new Pass(seconds))).Array[1, 200];

    [Fact]
    public void No_window_admits_more_than_its_limit_whatever_crashes() =>
        Histories.Sample(
            history =>
            {
                var world = new World();
                foreach (var happening in history)
                {
                    world.Apply(happening);
                    Assert.All(world.AdmittedByWindow.Values, admitted => Assert.InRange(admitted, 0, Limit));
                }
            },
            iter: 20_000);

    [Fact]
    public void With_one_living_activation_every_window_admits_exactly_its_limit() =>
        Gen.Select(Gen.Int[0, 2], Gen.Int[1, 6], Gen.Bool, (frontend, wanted, lost) => new Ask(0, frontend, wanted, lost))
            .Array[30, 120].Sample(
                history =>
                {
                    var world = new World();
                    foreach (var ask in history)
                    {
                        world.Apply(ask);
                    }

                    Assert.Equal(Math.Min(Limit, history.Sum(ask => ask.Wanted)), world.AdmittedByWindow.Values.Single());
                },
                iter: 5_000);

    private abstract record Event;

    /// <summary>A frontend asks; if the answer is lost it asks again with the same sequence number.</summary>
    private sealed record Ask(int Activation, int Frontend, int Wanted, bool AnswerLost) : Event;

    /// <summary>A frontend hands back one permit that it holds and has not used.</summary>
    private sealed record HandBack(int Activation, int Frontend) : Event;

    private sealed record Crash(int Activation) : Event;

    private sealed record Pass(int Seconds) : Event;

    private sealed class World
    {
        private readonly Activation?[] _activations = new Activation?[2];
        private readonly Guid[] _frontends = [Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid()];
        private readonly long[] _sequences = new long[3];
        private readonly Dictionary<(int Frontend, long Window), int> _holdings = [];
        private Row? _row;
        private long _etags;
        private long _windowNames;
        private TimeSpan _now;

        /// <summary>Permits that reached frontends and were not handed back, by the start of the window they count in.</summary>
        public Dictionary<TimeSpan, int> AdmittedByWindow { get; } = [];

        public void Apply(Event happening)
        {
            switch (happening)
            {
                case Ask ask:
                    var request = new PermitRequest(_frontends[ask.Frontend], ++_sequences[ask.Frontend], ask.Wanted, 0, 0);
                    var answer = Exchange(ask.Activation, request);
                    if (ask.AnswerLost)
                    {
                        answer = Exchange(ask.Activation, request);
                    }

                    if (answer is { Granted: > 0 } grant)
                    {
                        // The frontend may use a permit until the window's end and counts it there.
                        var end = _now + grant.ResetsIn;
                        AdmittedByWindow[end] = AdmittedByWindow.GetValueOrDefault(end) + grant.Granted;
                        var held = (ask.Frontend, grant.Window);
                        _holdings[held] = _holdings.GetValueOrDefault(held) + grant.Granted;
                    }

                    break;
                case HandBack back:
                    var unused = _holdings.FirstOrDefault(pair => pair.Key.Frontend == back.Frontend && pair.Value > 0);
                    if (unused.Value > 0)
                    {
                        _holdings[unused.Key]--;
                        var before = _activations[back.Activation]?.Bucket.Granted;
                        Exchange(back.Activation, new(
                            _frontends[back.Frontend], ++_sequences[back.Frontend], 0, 1, unused.Key.Window));
                        if (_activations[back.Activation] is { } taker && taker.Bucket.Granted < before)
                        {
                            AdmittedByWindow[taker.EndsAt] -= 1;
                        }
                    }

                    break;
                case Crash crash:
                    _activations[crash.Activation] = null;
                    break;
                case Pass pass:
                    _now += TimeSpan.FromSeconds(pass.Seconds);
                    break;
            }
        }

        private PermitGrant? Exchange(int index, PermitRequest request)
        {
            var activation = _activations[index] ??= Start();
            if (activation.Bucket.Prepare(request, _now) is { } reservation)
            {
                if (!TryWrite(activation, reservation))
                {
                    _activations[index] = null; // fenced: it throws away what it holds
                    return null;
                }

                activation.Bucket.Commit(reservation);
                activation.EndsAt = reservation.EndsAt;
            }

            return activation.Bucket.Answer(request, _now);
        }

        private Activation Start()
        {
            var activation = new Activation(new FixedWindowBucket(Limit, Length, Step, _windowNames += 1_000_000), _row?.Etag);
            if (_row is { } row && row.ExpiresAt > _now)
            {
                activation.Bucket.Restore(row.Reserved, row.ExpiresAt - _now, _now);
                activation.EndsAt = row.ExpiresAt;
            }

            return activation;
        }

        private bool TryWrite(Activation activation, Reservation reservation)
        {
            if (_row?.Etag != activation.Etag)
            {
                return false;
            }

            _row = new(reservation.Reserved, reservation.Opens ? reservation.EndsAt : _row!.Value.ExpiresAt, ++_etags);
            activation.Etag = _etags;
            return true;
        }

        private sealed class Activation(FixedWindowBucket bucket, long? etag)
        {
            public FixedWindowBucket Bucket => bucket;

            public long? Etag { get; set; } = etag;

            public TimeSpan EndsAt { get; set; }
        }

        private readonly record struct Row(int Reserved, TimeSpan ExpiresAt, long Etag);
    }
}
