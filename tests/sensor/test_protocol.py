"""What `--protocol tcp` records, and what it leaves alone."""

from __future__ import annotations

from namespaces import Host
from recording import Recording


def test_tcp_alone_is_recorded(host: Host) -> None:
    with Recording("--protocol", "tcp", "--attempts", "--closes") as recording:
        host.run("udp.exchange", "v4")
        truth = host.run("tcp.both_ends", "v4") + host.run("attempts.refused", "v4")
        rows = recording.expect(truth, host)
    assert {row["network_protocol"] for row in rows} == {"tcp"}


def test_no_program_of_udp_is_attached_for_tcp_alone() -> None:
    with Recording("--protocol", "tcp") as recording:
        hooks = recording.hooks()
    assert not [hook for hook in hooks if "udp" in hook or "recvmsg" in hook]
    assert not {"cgroup/sock_create", "cgroup_skb/ingress", "tp_btf/inet_sk_error_report"} & set(hooks)
