//! Systems that are broken on purpose, and the moment at which that shows: the checker has to find it.

use std::str::FromStr;

use crate::faults::crowd::{Crowd, Layout, Places};
use crate::faults::history::History;
use crate::faults::judge::{Finding, Wrong, judge};
use crate::faults::system::{Size, System, within};
use crate::proxy::Cut;

/// A way in which edges are broken: a failpoint of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Messages are acknowledged before the log has them.
    AcknowledgeEarly,
    /// Rooms do not look for events that they have missed.
    SkipGapFill,
    /// A message that is sent again is another message.
    ForgetClientId,
}

const SIZE: Size = Size { n_edges: 2, n_authz: 1, n_persistence: 1, n_nats: 1 };
const LAYOUT: Layout = Layout { n_conversations: 1, n_writers: 1, n_readers: 1, messages_per_second: 20 };

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AcknowledgeEarly, Self::SkipGapFill, Self::ForgetClientId];

    /// Its failpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::AcknowledgeEarly => "edge::acknowledge_early",
            Self::SkipGapFill => "edge::skip_gap_fill",
            Self::ForgetClientId => "edge::forget_client_id",
        }
    }

    /// What must be found.
    pub fn expected(self) -> Wrong {
        match self {
            Self::AcknowledgeEarly | Self::SkipGapFill => Wrong::Lost,
            Self::ForgetClientId => Wrong::Duplicated,
        }
    }

    /// Runs into the moment at which it shows, with edges that are broken, or (to be sure that it is the sabotage that
    /// is found) with edges that are not. Returns what was found. Call it on the main thread.
    pub async fn perform(self, broken: bool) -> Vec<Finding> {
        let mut system = System::start(SIZE, &LAYOUT.world()).await;
        if broken {
            let activated = format!("{}=return", self.name());
            for edge in &mut system.edges {
                edge.kill();
                edge.start_with(&[("FAILPOINTS", &activated)]);
                edge.is_ready().await;
            }
        }
        let edges: Vec<_> = system.lines.client_edge.iter().map(|line| line.address()).collect();
        let crowd = Crowd::start(LAYOUT, 1, &edges, Places::Apart);
        acknowledges(&crowd, 10).await;
        match self {
            Self::AcknowledgeEarly => {
                // Without NATS nothing can be acknowledged truly; then the edge takes what it has to its grave.
                system.lines.edge_nats[0].iter().for_each(|line| line.block(Cut::Reset));
                if broken {
                    acknowledges(&crowd, 10).await;
                }
                system.edges[0].kill();
                system.lines.edge_nats[0].iter().for_each(|line| line.mend());
                system.edges[0].start();
                system.edges[0].is_ready().await;
            }
            Self::SkipGapFill => {
                system.lines.edge_nats[1].iter().for_each(|line| line.block(Cut::Reset));
                acknowledges(&crowd, 10).await;
                system.lines.edge_nats[1].iter().for_each(|line| line.mend());
                system.recovers().await.expect("NATS is there again");
                acknowledges(&crowd, 10).await;
            }
            // The writer sends its eighth message again a second after it was acknowledged.
            Self::ForgetClientId => acknowledges(&crowd, 40).await,
        }
        let (streams, senders, late) = crowd.finish(&system).await;
        let history = History { rows: system.rows(), marks: system.marks(), senders, streams };
        late.into_iter().chain(judge(&history)).collect()
    }
}

async fn acknowledges(crowd: &Crowd, n_more: u64) {
    let goal = crowd.board.n_acknowledged() + n_more;
    let what = format!("{n_more} more messages are acknowledged");
    let done = within(&what, async || (crowd.board.n_acknowledged() >= goal).then_some(())).await;
    done.expect("the system acknowledges");
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|sabotage| sabotage.name() == name);
        found.ok_or_else(|| format!("there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}
