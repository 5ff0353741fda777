//! The kernel side loaded and attached: its hooks, its ring buffer, its counters.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, FExit, Iter, Program, SocketFilter, TracePoint};
use aya::{Btf, BtfError, Ebpf, EbpfLoader, VerifierLogLevel};

use crate::abi;
use crate::records::limit::REQUESTS;
use crate::records::{Peer, accept_hook, counter};
use crate::settings::{Hook, Settings};
use zerocopy::IntoBytes;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));
static PROBE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probe.bpf.o"));

/// Slots for TCP sockets. Connections are remembered until they are established and accepted; with closes, until they end.
const TCPS: u32 = 65_536;
const TCPS_WITH_CLOSES: u32 = 262_144;

/// The counters of bpf/records.h that count lost rows, by cause.
const LOSSES: [(&str, u32); 1] = [("ring buffer full", counter::LOST_CONNECTION)];
/// Those that count what rows lack.
const WARNINGS: [(&str, u32); 6] = [
    ("processes not described: ring buffer full", counter::LOST_PROCESS),
    ("UDP senders and readers not reported: ring buffer full", counter::LOST_CLAIM),
    ("DNS questions and answers not seen: ring buffer full", counter::LOST_DNS),
    ("sockets whose owner could not be noted", counter::UNOWNED),
    ("TCP connections not remembered: no memory", counter::TCPS_FULL),
    ("DNS answers to sockets that asked nothing", counter::UNASKED_DNS),
];

/// A hook: the program's name, where it attaches, whether nothing goes without it.
#[derive(Clone, Copy)]
struct Spec {
    program: &'static str,
    name: &'static str,
    required: bool,
}

const fn spec(program: &'static str, name: &'static str, required: bool) -> Spec {
    Spec { program, name, required }
}

/// Order matters: who accepts is seen before connections are, so that none is accepted unseen in between.
const PROCESSES: [Spec; 2] = [
    spec("process_forked", "tp_btf/sched_process_fork", false),
    spec("process_executed", "tp_btf/sched_process_exec", false),
];
const UDP_SOCKETS: [Spec; 2] =
    [spec("sock_create", "cgroup/sock_create", true), spec("udp_error", "tp_btf/inet_sk_error_report", false)];
/// Who reads a datagram, where the kernel takes such a hook; see bpf/readers.h for how it is found elsewhere.
const UDP_READERS: [Spec; 3] = [
    spec("recvmsg4", "cgroup/recvmsg4", false),
    spec("recvmsg6", "cgroup/recvmsg6", false),
    spec("consume_udp", "fentry/skb_consume_udp", false),
];
const UDP_DIRECT: [Spec; 8] = [
    spec("consume_udp", "fentry/skb_consume_udp", true),
    spec("read_udp4", "fexit/udp_recvmsg", true),
    spec("read_udp6", "fexit/udpv6_recvmsg", true),
    spec("read_tcp", "fexit/tcp_recvmsg", true),
    spec("write_tcp", "fentry/tcp_sendmsg", true),
    spec("send_udp4", "fentry/ip_send_skb", true),
    spec("send_udp6", "fentry/ip6_send_skb", true),
    spec("deliver_udp", "fentry/__udp_enqueue_schedule_skb", true),
];
/// What netfilter makes of packets, where no program sees these.
const FILTERED: Spec = spec("filtered", "fexit/nf_hook_slow", true);
const EGRESS: Spec = spec("egress", "cgroup_skb/egress", true);
const INGRESS: Spec = spec("ingress", "cgroup_skb/ingress", true);
const SET_STATE: Spec = spec("set_state", "tp_btf/inet_sock_set_state", true);
/// Runs where the first would interrupt itself: attached after it, where no other hook makes up for what that misses.
const AGAIN: Spec = spec("set_state_again", "tp_btf/inet_sock_set_state", true);
/// With attempts: a connection that fails before its SYN, the best first.
const CONNECT: [Spec; 2] = [
    spec("stream_connect", "fexit/inet_stream_connect", false),
    spec("exit_connect", "tracepoint/syscalls/sys_exit_connect", false),
];

/// How a process is seen that accepts a connection, the best first; see bpf/tcp.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum AcceptHook {
    /// Where the kernel gives the connection its socket: all ways to accept, at no cost for others.
    Graft = accept_hook::GRAFT,
    /// Where accept() asks for the address; else the first use.
    Getpeername = accept_hook::GETPEERNAME,
    /// Where accept() ends; else the first use. Any such hook slows each system call of the machine.
    Syscalls = accept_hook::SYSCALLS,
}

impl AcceptHook {
    /// Those to try, in their order.
    fn candidates() -> io::Result<Vec<Self>> {
        Ok(match std::env::var(FORCED_ACCEPT_HOOK).as_deref() {
            Ok("graft") => vec![Self::Graft],
            Ok("getpeername") => vec![Self::Getpeername],
            Ok("syscalls") => vec![Self::Syscalls],
            Ok(other_) => {
                return Err(other(format!(
                    "found {FORCED_ACCEPT_HOOK}={other_}, expected graft, getpeername or syscalls"
                )));
            }
            Err(_) => vec![Self::Graft, Self::Getpeername],
        })
    }

    /// Its programs: of each group one that the kernel takes.
    fn groups(self) -> &'static [&'static [Spec]] {
        const GRAFT: &[Spec] = &[
            spec("sock_graft", "fentry/security_sock_graft", true),
            spec("csk_accept", "fexit/inet_csk_accept", true),
            spec("csk_accept_before_6_10", "fexit/inet_csk_accept", true),
        ];
        const GETPEERNAME4: &[Spec] = &[spec("getpeername4", "cgroup/getpeername4", true)];
        const GETPEERNAME6: &[Spec] = &[spec("getpeername6", "cgroup/getpeername6", true)];
        const ACCEPT: &[Spec] = &[spec("exit_accept", "tracepoint/syscalls/sys_exit_accept", true)];
        const ACCEPT4: &[Spec] = &[spec("exit_accept4", "tracepoint/syscalls/sys_exit_accept4", true)];
        match self {
            Self::Graft => &[GRAFT],
            Self::Getpeername => &[GETPEERNAME4, GETPEERNAME6],
            Self::Syscalls => &[ACCEPT, ACCEPT4],
        }
    }
}

/// How datagrams and translated addresses are seen, the best first; see bpf/direct.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UdpHook {
    /// At functions that only UDP runs: packets run no program.
    Fentry,
    /// Where packets pass the root of the control groups.
    Packets,
}

impl UdpHook {
    /// Those to try, in their order.
    fn candidates() -> io::Result<Vec<Self>> {
        Ok(match std::env::var(FORCED_UDP_HOOK).as_deref() {
            Ok("fentry") => vec![Self::Fentry],
            Ok("packets") => vec![Self::Packets],
            Ok(other_) => return Err(other(format!("found {FORCED_UDP_HOOK}={other_}, expected fentry or packets"))),
            // Asked for only, until names that are asked for over TCP are seen by it too.
            Err(_) => vec![Self::Packets],
        })
    }

    fn specs(self, udp: bool, accept: AcceptHook) -> Vec<Spec> {
        let mut specs = Vec::new();
        let packets = self == Self::Packets;
        if udp {
            specs.extend(UDP_SOCKETS);
            if packets { specs.extend(UDP_READERS) } else { specs.extend(UDP_DIRECT) }
        }
        specs.extend((!packets).then_some(FILTERED));
        specs.extend(self.sees_packets(accept).then_some(EGRESS));
        specs.extend((packets && udp).then_some(INGRESS));
        specs
    }

    /// Whether a program sees what TCP sends.
    fn sees_packets(self, accept: AcceptHook) -> bool {
        self == Self::Packets || accept != AcceptHook::Graft
    }
}

/// Chooses the hooks of UDP, for tests.
const FORCED_UDP_HOOK: &str = "PROCWIRE_UDP_HOOK";
/// Chooses the hook of accept(): for tests, and for who wants each accept() exactly at its end whatever that costs.
const FORCED_ACCEPT_HOOK: &str = "PROCWIRE_ACCEPT_HOOK";
/// What the globals of the programs are set to, which a loader refers to.
const NUMBERS: [u8; 4] = [0, 1, 2, 3];
const OPEN_SOCKETS: &str = "iter/task_file";
const LOOK: &str = "socket";
/// Programs that do not attach to a hook.
const APART: [Spec; 2] = [spec("open_sockets", OPEN_SOCKETS, false), spec("look", LOOK, true)];
/// The kernel checks it for longer than any other: it is begun first.
const LONGEST: &str = "cgroup_skb/egress";

/// What a kernel took.
enum Loaded {
    All(Ebpf, Vec<Hook>),
    /// The hooks of accept() that it refused.
    WithoutAccept(Vec<Hook>),
    /// The hooks of UDP that it refused.
    WithoutUdp(Vec<Hook>),
}

fn push_hook(hooks: &mut Vec<Hook>, name: &'static str, reason: Option<String>) {
    if hooks.iter().all(|known| known.name != name) {
        hooks.push(Hook { name, attached: reason.is_none(), reason });
    }
}

/// Have the kernel check programs, at once on as many cores as there are: that is most of what a start takes. What it
/// refuses is not loaded then; who attaches it learns why.
fn load_all(ebpf: &mut Ebpf, specs: &[Spec], btf: &Btf) {
    let find = |name: &str| specs.iter().find(|spec| spec.program == name);
    let mut waiting: Vec<_> =
        ebpf.programs_mut().filter_map(|(name, program)| find(name).map(|spec| (spec.name, program))).collect();
    waiting.sort_by_key(|(hook, _)| *hook == LONGEST);
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        while let Some((hook, program)) = next() {
            let _ = load(program, hook, btf);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(specs.len());
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        work();
        // Each is gone, with its rights, before anything else happens.
        for other in others {
            let _ = other.join();
        }
    });
}

fn attach_spec(ebpf: &mut Ebpf, spec: &Spec, btf: &Btf, root: &File) -> Result<(), String> {
    let program = ebpf.program_mut(spec.program).ok_or_else(|| format!("no program: {}", spec.program))?;
    load(program, spec.name, btf)?;
    attach(program, spec.name, root)
}

/// The kernel side at work. Dropped, it is detached.
pub struct Kernel {
    // Holds programs and links.
    _ebpf: Ebpf,
    ring: RingBuf<MapData>,
    counters: Shared,
    requests: Shared,
    /// What /proc reports of the programs, opened while it may be.
    programs: Vec<File>,
    /// What is attached.
    pub hooks: Vec<Hook>,
    /// The filter of the second is a program of ours, and each message to it a call.
    look: (UnixDatagram, UnixDatagram),
    answer: Shared,
    open_sockets: Option<File>,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kernel").field("hooks", &self.hooks).finish_non_exhaustive()
    }
}

impl Kernel {
    /// Load and attach, at the root of the control groups (version 2) or below `cgroup`.
    ///
    /// # Errors
    /// A kernel without BTF or BPF, a lack of privileges, no cgroup v2, a hook that nothing goes without.
    pub fn attach(cgroup: Option<&Path>, settings: &Settings) -> io::Result<Self> {
        if OBJECT.is_empty() {
            return Err(other("found another architecture, expected x86_64 or aarch64: no sensor was built for it"));
        }
        abi::check(OBJECT).map_err(other)?;
        lift_memory_limit();
        let (btf, loader) = types_and_loader();
        let btf = btf.map_err(|error| {
            other(format!("the kernel's types (/sys/kernel/btf/vmlinux) cannot be read: {}", causes(&error)))
        })?;
        let root = match cgroup {
            Some(path) => path.to_path_buf(),
            None => cgroup_root(&std::fs::read_to_string("/proc/self/mountinfo")?)
                .ok_or_else(|| other("no cgroup2 file system is mounted"))?,
        };
        let root = File::open(&root).map_err(|error| other(format!("{}: {error}", root.display())))?;
        let (mut ebpf, hooks) = Self::load_best(loader, &btf, &root, settings)?;
        let ring = ebpf.take_map("ring").ok_or_else(|| other("no map: ring"))?;
        let counters = ebpf.take_map("counters").ok_or_else(|| other("no map: counters"))?;
        let requests = ebpf.take_map("requests").ok_or_else(|| other("no map: requests"))?;
        let answer = ebpf.take_map("answer").ok_or_else(|| other("no map: answer"))?;
        let mut kernel = Kernel {
            ring: RingBuf::try_from(ring).map_err(|error| other(causes(&error)))?,
            counters: Shared::map(counters, counter::COUNTERS)?,
            requests: Shared::map(requests, REQUESTS as u32)?,
            programs: fdinfos(&ebpf)?,
            open_sockets: None,
            look: attach_look(&mut ebpf, &btf)?,
            answer: Shared::map(answer, 1)?,
            hooks,
            _ebpf: ebpf,
        };
        let reason = match kernel.iterator(&btf) {
            Ok(file) => {
                kernel.open_sockets = Some(file);
                None
            }
            Err(error) => Some(error),
        };
        kernel.hooks.push(Hook { name: OPEN_SOCKETS, attached: reason.is_none(), reason });
        Ok(kernel)
    }

    /// Load with the best hook of accept() that the kernel takes. Those that it refuses are among the hooks, with why.
    fn load_best(loader: EbpfLoader<'_>, btf: &Btf, root: &File, settings: &Settings) -> io::Result<(Ebpf, Vec<Hook>)> {
        let mut refused = Vec::new();
        let mut candidates = AcceptHook::candidates()?;
        let idle_ns = (settings.udp_idle_s * 1e9) as u64;
        let flags = [settings.attempts, settings.closes, settings.existing || settings.closes].map(u8::from);
        let seed = secret();
        let tcps = if settings.closes { TCPS_WITH_CLOSES } else { TCPS };
        let tcps_mask = tcps - 1;
        // It refers to all of these.
        let mut loader = loader;
        loader.btf(Some(btf)).verifier_log_level(VerifierLogLevel::DISABLE);
        if candidates.len() > 1
            && let Err(reason) = takes_fexit(&mut loader, btf)
        {
            candidates.retain(|accept| *accept != AcceptHook::Graft);
            push_hook(&mut refused, "fentry/security_sock_graft", Some(reason));
        }
        loader
            .override_global("udp_idle_ns", &idle_ns, true)
            .override_global("want_attempts", &flags[0], true)
            .override_global("want_closes", &flags[1], true)
            .override_global("want_existing", &flags[2], true)
            .override_global("flow_seed", &seed, true)
            .override_global("tcps_mask", &tcps_mask, true)
            .map_max_entries("tcps", tcps)
            .map_max_entries("ring", settings.ring_bytes);
        for accept in candidates {
            for udp in UdpHook::candidates()? {
                match Self::load(&mut loader, btf, root, settings, accept, udp)? {
                    Loaded::All(ebpf, mut hooks) => {
                        for Hook { name, reason, .. } in refused {
                            push_hook(&mut hooks, name, reason);
                        }
                        return Ok((ebpf, hooks));
                    }
                    Loaded::WithoutUdp(mut hooks) => refused.append(&mut hooks),
                    Loaded::WithoutAccept(mut hooks) => {
                        refused.append(&mut hooks);
                        break;
                    }
                }
            }
        }
        let reasons: Vec<_> = refused
            .iter()
            .map(|hook| format!("{}: {}", hook.name, hook.reason.as_deref().unwrap_or_default()))
            .collect();
        Err(other(reasons.join("; ")))
    }

    fn load(
        loader: &mut EbpfLoader<'_>,
        btf: &Btf,
        root: &File,
        settings: &Settings,
        accept: AcceptHook,
        udp: UdpHook,
    ) -> io::Result<Loaded> {
        let again = settings.closes || !udp.sees_packets(accept);
        loader
            .override_global("accept_hook", &NUMBERS[accept as usize], true)
            .override_global("want_udp", &NUMBERS[usize::from(settings.udp)], true)
            .override_global("want_packets", &NUMBERS[usize::from(settings.udp && udp == UdpHook::Packets)], true)
            .override_global("want_again", &NUMBERS[usize::from(again)], true);
        let mut ebpf = loader.load(OBJECT).map_err(|error| other(causes(&error)))?;
        let mut hooks = Vec::new();
        let seen = udp.specs(settings.udp, accept);
        let specs: Vec<_> =
            PROCESSES.into_iter().chain(seen).chain([SET_STATE]).chain(again.then_some(AGAIN)).collect();
        // Of those that stand for each other the best; the others are loaded if it is refused.
        let best = accept.groups().iter().map(|group| group[0]).chain(settings.attempts.then_some(CONNECT[0]));
        let all: Vec<_> = specs.iter().copied().chain(best).chain(APART).collect();
        load_all(&mut ebpf, &all, btf);
        for group in accept.groups() {
            let mut missing = Vec::new();
            let taken = group.iter().find(|spec| match attach_spec(&mut ebpf, spec, btf, root) {
                Ok(()) => true,
                Err(reason) => {
                    push_hook(&mut missing, spec.name, Some(reason));
                    false
                }
            });
            match taken {
                Some(spec) => push_hook(&mut hooks, spec.name, None),
                None => return Ok(Loaded::WithoutAccept(missing)),
            }
        }
        if settings.attempts {
            for spec in CONNECT {
                let reason = attach_spec(&mut ebpf, &spec, btf, root).err();
                let attached = reason.is_none();
                push_hook(&mut hooks, spec.name, reason);
                if attached {
                    break;
                }
            }
        }
        for spec in specs {
            let reason = attach_spec(&mut ebpf, &spec, btf, root).err();
            if spec.required && reason.is_some() && spec.name.starts_with('f') {
                push_hook(&mut hooks, spec.name, reason);
                hooks.retain(|hook| !hook.attached);
                return Ok(Loaded::WithoutUdp(hooks));
            }
            if spec.required
                && let Some(reason) = &reason
            {
                return Err(other(format!("{}: {reason}", spec.name)));
            }
            push_hook(&mut hooks, spec.name, reason);
        }
        Ok(Loaded::All(ebpf, hooks))
    }

    fn iterator(&mut self, btf: &Btf) -> Result<File, String> {
        let program = self._ebpf.program_mut("open_sockets").ok_or("no program: open_sockets")?;
        load(program, OPEN_SOCKETS, btf)?;
        let program: &mut Iter = program.try_into().map_err(|error| causes(&error))?;
        let id = program.attach().map_err(|error| causes(&error))?;
        let link = program.take_link(id).map_err(|error| causes(&error))?;
        link.into_file().map_err(|error| causes(&error))
    }

    /// Note the owners of the sockets that are open; `drain` is called now and then while it runs. Can be done
    /// once.
    pub fn note_open_sockets(&mut self, mut drain: impl FnMut(&[u8])) {
        let Some(mut file) = self.open_sockets.take() else { return };
        let walk = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                    Err(error) => return Err(error),
                }
            }
        });
        loop {
            let done = walk.is_finished();
            while let Some(item) = self.ring.next() {
                drain(&item);
            }
            if done {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let reason = match walk.join() {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the walk over open sockets failed".into(),
        };
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.name == OPEN_SOCKETS) {
            hook.attached = false;
            hook.reason = Some(reason);
        }
    }

    /// Hand records to `drain`, at most `limit`. Returns how many there were.
    pub fn drain(&mut self, limit: usize, mut drain: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < limit
            && let Some(item) = self.ring.next()
        {
            drain(&item);
            count += 1;
        }
        count
    }

    /// Have processes (their tgids) described again when they are met next, known or not.
    pub fn request(&self, tgids: &[u32]) {
        for tgid in tgids {
            self.requests.add(tgid % REQUESTS as u32);
        }
    }

    /// Whether the first datagram of a flow has been read, and by no other process than its socket's owner.
    pub fn was_read(&self, cookie: u64, peer: &Peer) -> bool {
        let question = [cookie.as_bytes(), peer.as_bytes()].concat();
        self.look.0.send(&question).is_ok() && self.answer.get(0) == 1
    }

    /// Rows lost so far, by cause.
    pub fn losses(&self) -> Vec<(String, u64)> {
        self.counted(&LOSSES)
    }

    /// What rows lack, by cause.
    pub fn warnings(&self) -> Vec<(String, u64)> {
        let mut warnings = self.counted(&WARNINGS);
        warnings
            .push(("UDP flows evicted, reported again if they continue".into(), self.counters.get(counter::EVICTED)));
        // A tracepoint's program does not run where it interrupts itself; the kernel counts how often.
        warnings.push(("hooks that did not run: program interrupted by itself".into(), self.misses()));
        warnings
    }

    fn counted(&self, counters: &[(&str, u32)]) -> Vec<(String, u64)> {
        counters.iter().map(|(name, index)| ((*name).to_owned(), self.counters.get(*index))).collect()
    }

    fn misses(&self) -> u64 {
        self.programs.iter().filter_map(misses).sum()
    }
}

/// Kernels before 5.11 count maps against this limit; on later ones it has no effect, so a failure is harmless.
#[allow(unsafe_code)]
fn lift_memory_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads a structure of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// Of the programs that have no second one for when they interrupt themselves.
fn fdinfos(ebpf: &Ebpf) -> io::Result<Vec<File>> {
    use std::os::fd::AsRawFd;
    let has_second = ebpf.program("set_state_again").is_some_and(|program| program.fd().is_ok());
    ebpf.programs()
        .filter(|(name, _)| !has_second || !name.starts_with("set_state"))
        .filter_map(|(_, program)| program.fd().ok())
        .map(|fd| File::open(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())))
        .collect()
}

/// How often a program did not run, from its fdinfo; None on kernels that do not report it (before 5.12).
fn misses(fdinfo: &File) -> Option<u64> {
    // Larger than it is, and read in one call: an idle recorder does little else.
    let mut bytes = [0; 4_096];
    let length = fdinfo.read_at(&mut bytes, 0).ok()?;
    let text = str::from_utf8(bytes.get(..length)?).ok()?;
    text.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
}

/// A number that nobody can guess.
fn secret() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// The kernel's types, and a loader, which reads them for itself and is not asked not to: at the same time.
fn types_and_loader() -> (Result<Btf, BtfError>, EbpfLoader<'static>) {
    std::thread::scope(|scope| {
        let loader = scope.spawn(EbpfLoader::new);
        let types = Btf::from_sys_fs();
        (types, loader.join().unwrap_or_default())
    })
}

/// Whether the kernel takes fexit programs: those that do not, refuse them all.
fn takes_fexit(loader: &mut EbpfLoader<'_>, btf: &Btf) -> Result<(), String> {
    let mut ebpf = loader.load(PROBE).map_err(|error| causes(&error))?;
    let program = ebpf.program_mut("probe").ok_or("no program: probe")?;
    let program: &mut FExit = program.try_into().map_err(|error| causes(&error))?;
    program.load("inet_csk_accept", btf).map_err(|error| causes(&error))
}

/// No flags: a link shares the group with other programs anyway, and the kernel takes none for it.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

/// Have the kernel check a program and take it, unless it has.
fn load(program: &mut Program, hook: &str, btf: &Btf) -> Result<(), String> {
    if program.fd().is_ok() {
        return Ok(());
    }
    let target = hook.rsplit('/').next().unwrap_or(hook);
    let result = match program {
        Program::BtfTracePoint(program) => program.load(target, btf),
        Program::FEntry(program) => program.load(target, btf),
        Program::FExit(program) => program.load(target, btf),
        Program::Iter(program) => program.load(target, btf),
        Program::TracePoint(program) => program.load(),
        Program::CgroupSkb(program) => program.load(),
        Program::CgroupSock(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::SocketFilter(program) => program.load(),
        _ => return Err("a program of another type".into()),
    };
    result.map_err(|error| causes(&error))
}

/// Attach a program that is loaded.
fn attach(program: &mut Program, hook: &str, root: &File) -> Result<(), String> {
    let result = match program {
        Program::BtfTracePoint(program) => program.attach().map(|_| ()),
        Program::FEntry(program) => program.attach().map(|_| ()),
        Program::FExit(program) => program.attach().map(|_| ()),
        Program::TracePoint(program) => return attach_tracepoint(program, hook),
        Program::CgroupSkb(program) => {
            let direction =
                if hook.ends_with("egress") { CgroupSkbAttachType::Egress } else { CgroupSkbAttachType::Ingress };
            program.attach(root, direction, MODE).map(|_| ())
        }
        Program::CgroupSock(program) => program.attach(root, MODE).map(|_| ()),
        Program::CgroupSockAddr(program) => program.attach(root, MODE).map(|_| ()),
        _ => return Err("a program of another type".into()),
    };
    result.map_err(|error| causes(&error))
}

/// A pair of sockets: the filter of the second drops all that the first sends.
fn attach_look(ebpf: &mut Ebpf, btf: &Btf) -> io::Result<(UnixDatagram, UnixDatagram)> {
    let (ask, asked) = UnixDatagram::pair()?;
    let program = ebpf.program_mut("look").ok_or_else(|| other("no program: look"))?;
    load(program, LOOK, btf).map_err(other)?;
    let program: &mut SocketFilter = program.try_into().map_err(|error| other(causes(&error)))?;
    program.attach(&asked).map_err(|error| other(causes(&error)))?;
    Ok((ask, asked))
}

/// A tracepoint of perf's, whose number is in tracefs: where that is not mounted, a thread mounts it for itself.
fn attach_tracepoint(program: &mut TracePoint, hook: &str) -> Result<(), String> {
    let attach = |program: &mut TracePoint| {
        let name = hook.trim_start_matches("tracepoint/syscalls/");
        program.attach("syscalls", name).map(|_| ()).map_err(|error| causes(&error))
    };
    if ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"].iter().any(|path| Path::new(path).exists()) {
        return attach(program);
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            mount_tracefs().map_err(|error| format!("tracefs is not mounted, and cannot be: {error}"))?;
            attach(program)
        });
        thread.join().unwrap_or_else(|_| Err("the thread that attaches it ended".into()))
    })
}

/// Mount tracefs at its place, for the calling thread alone, which gets a mount namespace of its own.
#[allow(unsafe_code)]
fn mount_tracefs() -> io::Result<()> {
    let none = std::ptr::null::<libc::c_char>();
    let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: takes no pointer; other threads keep their mounts.
    check(unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) })?;
    // SAFETY: the texts end with a NUL and live through the calls, which keep none of them.
    check(unsafe { libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) })?;
    let name = c"tracefs".as_ptr();
    // SAFETY: as above.
    check(unsafe { libc::mount(name, c"/sys/kernel/tracing".as_ptr(), name, 0, none.cast()) })
}

/// Where cgroup v2 is mounted, from the text of /proc/self/mountinfo (proc(5)).
fn cgroup_root(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, fs) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // A bind mount of a part of the tree is not its root.
        (fs.starts_with("cgroup2 ") && root == "/").then(|| PathBuf::from(point.replace("\\040", " ")))
    })
}

/// An error with all its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    let text = text.lines().next().unwrap_or_default();
    text.trim_end_matches("Verifier output: ").trim_end_matches(". ").to_owned()
}

fn other(message: impl Into<String>) -> io::Error {
    io::Error::other(message.into())
}

/// An array of counts shared with the kernel: reading and writing it asks for no privilege, however old the kernel.
struct Shared {
    // Kept open, and so mapped.
    _array: MapData,
    base: *mut u64,
    entries: u32,
}

// SAFETY: the pointer is to memory that stays mapped while the value lives, and is only used atomically.
#[allow(unsafe_code)]
unsafe impl Send for Shared {}

#[allow(unsafe_code)]
impl Shared {
    fn map(map: Map, entries: u32) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let Map::Array(array) = map else { return Err(other("found another map, expected an array")) };
        let fd = array.fd().as_fd().as_raw_fd();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let bytes = entries as usize * size_of::<u64>();
        // SAFETY: asks for a fresh mapping; the result is checked. The kernel rounds it, and the map, to whole pages.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Shared { _array: array, base: base.cast(), entries })
    }

    fn get(&self, index: u32) -> u64 {
        self.at(index).load(Ordering::Relaxed)
    }

    fn add(&self, index: u32) {
        self.at(index).fetch_add(1, Ordering::Relaxed);
    }

    fn at(&self, index: u32) -> &AtomicU64 {
        assert!(index < self.entries, "no such entry");
        // SAFETY: within what is mapped as long as `self` lives; aligned to 8 bytes; all use of it is atomic.
        unsafe { AtomicU64::from_ptr(self.base.add(index as usize)) }
    }
}

#[allow(unsafe_code)]
impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: unmaps what `map` mapped, once.
        unsafe { libc::munmap(self.base.cast(), self.entries as usize * size_of::<u64>()) };
    }
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSection};

    use super::*;

    const EXIT: u8 = 0x95;
    const CALL: u8 = 0x85;

    /// The instructions of a section, 8 bytes each.
    fn instructions(section: &str) -> Vec<[u8; 8]> {
        let file = object::File::parse(OBJECT).expect("an ELF file");
        let section = file.section_by_name(section).unwrap_or_else(|| panic!("no section {section}"));
        section.data().expect("data").chunks_exact(8).map(|bytes| bytes.try_into().expect("8 bytes")).collect()
    }

    /// Where an instruction may go on other than at the next.
    fn jump_target(index: usize, [opcode, _, low, high, imm @ ..]: [u8; 8]) -> Option<i64> {
        let class = opcode & 7;
        if (class != 5 && class != 6) || opcode == CALL || opcode == EXIT {
            return None;
        }
        let offset =
            if opcode == 6 { i64::from(i32::from_le_bytes(imm)) } else { i16::from_le_bytes([low, high]).into() };
        Some(index as i64 + 1 + offset)
    }

    /// A program of a control group that returns anything but 1 would stop a packet or a call. Whatever path one
    /// takes, on errors and with full maps too, it ends in an exit before which stands `r0 = 1`, and into which
    /// nothing jumps past that.
    #[test]
    fn programs_of_control_groups_allow_on_every_path() {
        let packets = UdpHook::Packets.specs(true, AcceptHook::Getpeername);
        let accepts = AcceptHook::Getpeername.groups().iter().copied().flatten().copied();
        let hooks = packets.into_iter().chain(accepts).filter(|spec| spec.name.starts_with("cgroup"));
        let mut exits = 0;
        for Spec { name, .. } in hooks {
            let code = instructions(name);
            let targets: Vec<_> =
                code.iter().enumerate().filter_map(|(index, code)| jump_target(index, *code)).collect();
            for exit in (0..code.len()).filter(|index| code[*index][0] == EXIT) {
                let [opcode, registers, .., a, b, c, d] = code[exit - 1];
                assert!(opcode == 0xB4 || opcode == 0xB7, "{name}: no move before the exit at {exit}");
                assert_eq!((registers & 15, i32::from_le_bytes([a, b, c, d])), (0, 1), "{name}: not r0 = 1 at {exit}");
                assert!(!targets.contains(&(exit as i64)), "{name}: something jumps to the exit at {exit}");
                exits += 1;
            }
        }
        assert!(exits >= 7, "found {exits} exits, expected one for each of seven programs at least");
    }

    /// At any place: unified hosts have it at /sys/fs/cgroup, hybrid ones below.
    #[test]
    fn the_root_of_cgroup_v2_is_found() {
        let hybrid = "24 1 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
                      30 24 0:26 / /sys/fs/cgroup/unified rw,relatime shared:5 - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroup_root(hybrid), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        let part = "30 24 0:26 /docker/1 /mnt rw - cgroup2 cgroup2 rw\n31 24 0:26 / /sys/fs/cgroup rw - cgroup2 x rw\n";
        assert_eq!(cgroup_root(part), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(cgroup_root("24 1 0:20 / /sys ro - sysfs sysfs ro\n"), None);
    }
}
