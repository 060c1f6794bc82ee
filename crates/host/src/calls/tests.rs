use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tower::ServiceExt as _;

use super::*;
use crate::grpc::{ConnectionAge, GrpcListener};
use crate::peer::told;
use crate::readiness::Readiness;

/// Counts its calls, and answers each with nothing; to `/watch` with something every now and then, for ever.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl NamedService for Counting {
    const NAME: &'static str = "test.Counting";
}

impl Service<Request<Body>> for Counting {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/test.Counting/watch" => Response::new(ticking()),
                "/test.Counting/hang" => std::future::pending().await,
                _ => Response::default(),
            })
        })
    }
}

fn ticking() -> Body {
    let ticks = stream::repeat(()).then(async |()| {
        sleep(Duration::from_millis(10)).await;
        Ok::<_, Status>(Frame::data(Bytes::from_static(b".")))
    });
    Body::new(StreamBody::new(ticks))
}

/// A process of the service.
struct Process {
    address: SocketAddr,
    service: Counting,
    readiness: Readiness,
    drain: CancellationToken,
    running: AbortOnDropHandle<()>,
}

impl Process {
    async fn start() -> Self {
        Self::aging(ConnectionAge::UNLIMITED).await
    }

    async fn aging(age: ConnectionAge) -> Self {
        let listener = GrpcListener::bind("TEST", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, service, drain) = (listener.address(), Counting::default(), CancellationToken::new());
        let readiness = Readiness::new(&["store"], drain.clone());
        readiness.ready("store");
        let (served, ready, drained) = (service.clone(), readiness.clone(), drain.clone());
        let running = tokio::spawn(async move { listener.serve(served, &ready, age, drained).await });
        Self { address, service, readiness, drain, running: AbortOnDropHandle::new(running) }
    }

    /// All connections break, and nobody listens any more.
    async fn die(self) {
        self.running.abort();
        self.running.await.unwrap_err();
    }

    fn n_calls(&self) -> usize {
        self.service.0.swap(0, Ordering::SeqCst)
    }
}

/// What the service's name stands for.
#[derive(Clone, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn of<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Self {
        let name = Self::default();
        name.now_of(processes);
        name
    }

    fn now_of<'a>(&self, processes: impl IntoIterator<Item = &'a Process>) {
        *self.0.lock().unwrap() = processes.into_iter().map(|process| process.address).collect();
    }

    fn calls(&self) -> Calls {
        let name = self.clone();
        let resolve: Resolve = Arc::new(move || {
            let found = name.0.lock().unwrap().clone();
            Box::pin(async move { Ok(found) })
        });
        let origin = "http://test".parse().unwrap();
        Calls::balanced(Target { service: Counting::NAME, origin, period: Duration::from_millis(50) }, resolve)
    }
}

async fn ask(calls: &Calls, path: &str) -> Result<Response<Body>, BoxError> {
    let request = Request::post(format!("/{}/{path}", Counting::NAME)).body(Body::empty()).unwrap();
    calls.clone().oneshot(request).await
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// So many addresses are known, and in this condition.
async fn has(calls: &Calls, n: usize, condition: line::Condition) {
    until("addresses are as they should be", async || calls.0.lines.count(condition) == n).await;
}

/// Makes many calls, several at a time, none of which may fail, and tells how many each process got.
async fn shares<const N: usize>(calls: &Calls, processes: [&Process; N]) -> [usize; N] {
    for process in processes {
        process.n_calls();
    }
    let callers = (0..10).map(async |_| {
        for _ in 0..30 {
            ask(calls, "call").await.unwrap();
        }
    });
    join_all(callers).await;
    processes.map(Process::n_calls)
}

/// But for a round that had begun before.
fn assert_even<const N: usize>(shares: [usize; N]) {
    assert_eq!(shares.iter().sum::<usize>(), 300);
    assert!(shares.iter().all(|share| share.abs_diff(300 / N) <= 2), "{shares:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_spread_over_those_who_are_there() {
    let (one, two, three) = (Process::start().await, Process::start().await, Process::start().await);
    let name = Name::of([&one, &two, &three]);
    let calls = name.calls();
    has(&calls, 3, line::Condition::Ready).await;
    assert_even(shares(&calls, [&one, &two, &three]).await);

    three.die().await;
    // As soon as the broken line is noticed, whatever comes of it.
    has(&calls, 2, line::Condition::Ready).await;
    assert_even(shares(&calls, [&one, &two]).await);
    has(&calls, 1, line::Condition::Unreachable).await;
    assert_even(shares(&calls, [&one, &two]).await);

    let four = Process::start().await;
    name.now_of([&one, &two, &four]);
    has(&calls, 0, line::Condition::Unreachable).await;
    has(&calls, 3, line::Condition::Ready).await;
    assert_even(shares(&calls, [&one, &two, &four]).await);
}

#[tokio::test]
async fn who_is_not_ready_or_drains_is_asked_only_if_nobody_else_is_there() {
    let (one, two) = (Process::start().await, Process::start().await);
    let calls = Name::of([&one, &two]).calls();
    has(&calls, 2, line::Condition::Ready).await;
    one.readiness.waiting("store", "gone");
    has(&calls, 1, line::Condition::NotReady).await;
    assert_eq!(shares(&calls, [&one, &two]).await, [0, 300]);
    two.readiness.waiting("store", "gone");
    has(&calls, 2, line::Condition::NotReady).await;
    assert_even(shares(&calls, [&one, &two]).await);
    one.readiness.ready("store");
    has(&calls, 1, line::Condition::Ready).await;
    assert_eq!(shares(&calls, [&one, &two]).await, [300, 0]);
    two.readiness.ready("store");
    has(&calls, 2, line::Condition::Ready).await;
    let (ended, got) = tokio::join!(one.running, async {
        one.drain.cancel();
        shares(&calls, [&two]).await
    });
    ended.unwrap();
    let before = 300 - got[0];
    assert!(before <= 150, "{before} of 300 calls went to one that ends");
}

#[tokio::test]
async fn nothing_fails_while_connections_become_old() {
    let age = ConnectionAge::of(Duration::from_millis(30));
    let (one, two) = (Process::aging(age).await, Process::aging(age).await);
    let calls = Name::of([&one, &two]).calls();
    has(&calls, 2, line::Condition::Ready).await;
    for _ in 0..5 {
        let [first, second] = shares(&calls, [&one, &two]).await;
        assert!(first.abs_diff(second) <= 60, "{first} and {second}");
    }
}

#[tokio::test]
async fn a_call_to_an_address_that_is_gone_goes_on() {
    let (one, two) = (Process::start().await, Process::start().await);
    let name = Name::of([&one]);
    let calls = name.calls();
    let mut watched = BodyStream::new(ask(&calls, "watch").await.unwrap().into_body());
    watched.next().await.unwrap().unwrap();
    name.now_of([&two]);
    until("the other one is asked", async || {
        ask(&calls, "call").await.unwrap();
        two.n_calls() > 0
    })
    .await;
    assert_eq!(shares(&calls, [&one, &two]).await, [0, 300]);
    for _ in 0..10 {
        watched.next().await.unwrap().unwrap();
    }
    one.die().await;
    while watched.next().await.is_some_and(|frame| frame.is_ok()) {}
}

#[tokio::test]
async fn what_a_server_may_have_had_is_not_sent_again() {
    let (one, two) = (Process::start().await, Process::start().await);
    let calls = Name::of([&one, &two]).calls();
    has(&calls, 2, line::Condition::Ready).await;
    let counts = [one.service.clone(), two.service.clone()];
    let asked = async || counts.iter().map(|count| count.0.load(Ordering::SeqCst)).sum::<usize>() == 1;
    let (answer, ()) = tokio::join!(ask(&calls, "hang"), async {
        until("one of them is asked", asked).await;
        one.die().await;
        two.die().await;
    });
    assert!(answer.is_err());
    assert!(asked().await, "it was asked twice");
}

#[tokio::test]
async fn one_that_says_nothing_is_not_asked_while_others_are_there() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = Process::start().await;
    let name = Name::of([&there]);
    name.0.lock().unwrap().push(silent.local_addr().unwrap());
    let calls = name.calls();
    has(&calls, 1, line::Condition::Ready).await;
    assert_eq!(shares(&calls, [&there]).await, [300]);
}

#[tokio::test]
async fn one_that_did_not_answer_in_time_has_to_say_first_that_all_is_well() {
    let (one, two) = (Process::start().await, Process::start().await);
    let calls = Name::of([&one, &two]).calls();
    has(&calls, 2, line::Condition::Ready).await;
    let request = Request::post("/test.Counting/hang").header("grpc-timeout", "50m").body(Body::empty()).unwrap();
    assert!(calls.clone().oneshot(request).await.is_err());
    assert_eq!(calls.0.lines.count(line::Condition::Ready), 1);
    has(&calls, 2, line::Condition::Ready).await;
    // It was doubted once, and is not again and again.
    let doubted_again = has(&calls, 1, line::Condition::Ready);
    timeout(Duration::from_secs(2), doubted_again).await.unwrap_err();
    assert_even(shares(&calls, [&one, &two]).await);
}

#[tokio::test]
async fn nobody_there_is_told_with_the_reason() {
    let calls = Name::default().calls();
    let failed = Status::from_error(ask(&calls, "call").await.unwrap_err());
    assert_eq!(told(&failed), "Unavailable: it has no addresses");
    let dead = Process::start().await;
    let name = Name::of([&dead]);
    dead.die().await;
    let calls = name.calls();
    for _ in 0..3 {
        let failed = Status::from_error(ask(&calls, "call").await.unwrap_err());
        assert!(failed.code() == tonic::Code::Unavailable && told(&failed).contains("refused"), "{failed:?}");
    }
}
