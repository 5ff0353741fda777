//! Questions that are open: an answer names something only if it is to one of them.

use super::message::Question;
use super::units::NS_PER_S;
use crate::shared::{Holder, Shared};

/// The address and port of a server, as the socket sees them.
pub type Server = ([u8; 16], u16);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The socket's cookie, which no other socket ever has.
    cookie: u64,
    server: Server,
    question: Question,
}

struct Asked {
    time_ns: u64,
    /// How often: a question that is sent again may be answered again.
    times: u32,
}

/// Open questions; a bounded number of them, shared fairly.
///
/// A question waits for an answer that comes to the same socket, from the server that it was sent to, with the same id,
/// name, type and class. Each is answered once. Whoever has asked is whose answer it is, whoever else reads from the
/// socket.
pub struct Questions {
    open: Shared<Key, (Holder, Asked)>,
    lifetime_ns: u64,
}

impl Questions {
    /// Space for so many, each of which waits for `lifetime_s`.
    pub fn new(capacity: u64, lifetime_s: u32) -> Self {
        Questions { open: Shared::new(capacity), lifetime_ns: u64::from(lifetime_s) * NS_PER_S }
    }

    /// A process asks.
    pub fn ask(&mut self, holder: Holder, cookie: u64, server: Server, question: Question, now_ns: u64) {
        // What expired makes place first: few answers are late, so the oldest are it.
        while let Some((key, (_, asked))) = self.open.oldest(holder)
            && self.expired(asked, now_ns)
        {
            let key = key.clone();
            self.open.remove(&key);
        }
        let key = Key { cookie, server, question };
        let times = match self.open.remove(&key) {
            Some((before, asked)) if before == holder && !self.expired(&asked, now_ns) => asked.times.saturating_add(1),
            _ => 1,
        };
        self.open.insert(holder, key, (holder, Asked { time_ns: now_ns, times }), 1);
    }

    /// Take an answer to a question; whose question that was. None if none is open.
    pub fn answer(&mut self, cookie: u64, server: Server, question: Question, now_ns: u64) -> Option<Holder> {
        let key = Key { cookie, server, question };
        let (holder, mut asked) = self.open.remove(&key)?;
        if self.expired(&asked, now_ns) {
            return None;
        }
        asked.times -= 1;
        if asked.times > 0 {
            self.open.insert(holder, key, (holder, asked), 1);
        }
        Some(holder)
    }

    /// Forget questions that are not answered any longer.
    pub(super) fn forget_expired(&mut self, now_ns: u64) {
        let lifetime_ns = self.lifetime_ns;
        self.open.retain(|(_, asked)| now_ns.saturating_sub(asked.time_ns) < lifetime_ns);
    }

    /// How many are open, or expired and not yet forgotten.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many were forgotten because the table was full, so far; expired ones among them.
    pub fn evicted(&self) -> u64 {
        self.open.evicted()
    }

    fn expired(&self, asked: &Asked, now_ns: u64) -> bool {
        now_ns.saturating_sub(asked.time_ns) >= self.lifetime_ns
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::asked;
    use super::*;

    const ME: Holder = Holder { user: 1000, process: 7 };
    const OTHER: Holder = Holder { user: 1000, process: 8 };
    const SERVER: Server = ([53; 16], 53);

    fn questions() -> Questions {
        Questions::new(100, 30)
    }

    #[test]
    fn an_answer_must_match_socket_server_id_and_question() {
        let mut open = questions();
        let question = asked(1, "www.example", 1);
        open.ask(ME, 5, SERVER, question.clone(), 0);
        for (cookie, server, other, what) in [
            (6, SERVER, question.clone(), "another socket"),
            (5, ([54; 16], 53), question.clone(), "another address"),
            (5, ([53; 16], 5353), question.clone(), "another port"),
            (5, SERVER, asked(2, "www.example", 1), "another id"),
            (5, SERVER, asked(1, "other.example", 1), "another name"),
            (5, SERVER, asked(1, "www.example", 28), "another type"),
        ] {
            assert_eq!(open.answer(cookie, server, other, 1), None, "{what}");
        }
        assert_eq!(open.answer(5, SERVER, question, 1), Some(ME));
    }

    #[test]
    fn each_question_is_answered_once() {
        let mut open = questions();
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        assert_eq!(open.answer(5, SERVER, asked(1, "www.example", 1), 1), Some(ME));
        assert_eq!(open.answer(5, SERVER, asked(1, "www.example", 1), 1), None);
        assert!(open.is_empty());
    }

    #[test]
    fn what_is_asked_again_may_be_answered_again() {
        let mut open = questions();
        for _ in 0..2 {
            open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        }
        let mut answer = || open.answer(5, SERVER, asked(1, "www.example", 1), 1);
        assert_eq!([answer(), answer(), answer()], [Some(ME), Some(ME), None]);
    }

    #[test]
    fn each_of_several_servers_may_answer() {
        let mut open = questions();
        let servers = [SERVER, ([54; 16], 53), ([55; 16], 53)];
        for server in servers {
            open.ask(ME, 5, server, asked(1, "www.example", 1), 0);
        }
        for server in servers {
            assert_eq!(open.answer(5, server, asked(1, "www.example", 1), 1), Some(ME));
        }
    }

    #[test]
    fn several_questions_of_a_socket_wait_at_a_time() {
        let mut open = questions();
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        open.ask(ME, 5, SERVER, asked(2, "www.example", 28), 0);
        assert_eq!(open.answer(5, SERVER, asked(2, "www.example", 28), 1), Some(ME));
        assert_eq!(open.answer(5, SERVER, asked(1, "www.example", 1), 1), Some(ME));
    }

    #[test]
    fn questions_that_expired_take_no_memory() {
        let mut open = Questions::new(100, 30);
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        open.ask(OTHER, 5, SERVER, asked(2, "www.example", 1), 20 * NS_PER_S);
        open.forget_expired(30 * NS_PER_S);
        assert_eq!((open.len(), open.evicted()), (1, 0));
        assert_eq!(open.answer(5, SERVER, asked(2, "www.example", 1), 30 * NS_PER_S), Some(OTHER));
    }

    #[test]
    fn on_a_shared_socket_an_answer_is_whose_question_it_is_to() {
        let mut open = questions();
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        open.ask(OTHER, 5, SERVER, asked(2, "www.example", 1), 0);
        assert_eq!(open.answer(5, SERVER, asked(2, "www.example", 1), 1), Some(OTHER));
        assert_eq!(open.answer(5, SERVER, asked(1, "www.example", 1), 1), Some(ME));
    }

    #[test]
    fn a_question_waits_no_longer_than_its_lifetime() {
        let mut open = questions();
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        assert_eq!(open.answer(5, SERVER, asked(1, "www.example", 1), 30 * NS_PER_S), None);
        open.ask(ME, 5, SERVER, asked(1, "www.example", 1), 0);
        open.ask(ME, 5, SERVER, asked(2, "www.example", 1), 30 * NS_PER_S);
        assert_eq!((open.len(), open.evicted()), (1, 0));
    }

    #[test]
    fn a_user_who_asks_without_end_takes_no_question_from_others() {
        let mut open = questions();
        let root = Holder { user: 0, process: 1 };
        open.ask(root, 1, SERVER, asked(1, "www.example", 1), 0);
        for cookie in 0..50_000 {
            let holder = Holder { user: 1000, process: 10 + cookie % 5_000 };
            open.ask(holder, 2 + cookie, SERVER, asked(cookie as u16, "www.example", 1), 0);
        }
        assert_eq!((open.len(), open.evicted()), (100, 49_901));
        assert_eq!(open.answer(1, SERVER, asked(1, "www.example", 1), 1), Some(root));
    }
}
