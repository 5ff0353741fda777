"""Container ids, by the paths that real engines give."""

from __future__ import annotations

import pytest
from enrich_rows import batch, column

from procwire.enrich import ContainerIds
from procwire.enrich.containers import container_id
from procwire.event import LIVE_SCHEMA

ID = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
OUTER = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
POD = "podac04f3f2-1f2c-11e9-b015-1ebee232acfa"

# What, its path, the container. Made from the layouts in the sources named, with ids put in.
PATHS = [
    # neuvector share/system/cgroup_test.go; falcosecurity/libs userspace/libsinsp/runc tests
    ("docker, cgroupfs", f"/docker/{ID}", ID),
    ("docker, systemd", f"/system.slice/docker-{ID}.scope", ID),
    ("docker, with an init that makes groups", f"/system.slice/docker-{ID}.scope/init.scope", ID),
    ("docker, a parent of the user's", f"/mine/{ID}", ID),
    ("docker in docker", f"/docker/{OUTER}/docker/{ID}", ID),
    ("Kubernetes, containerd, cgroupfs", f"/kubepods/besteffort/{POD}/{ID}", ID),
    (
        "Kubernetes, containerd, systemd",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD}.slice/cri-containerd-{ID}.scope",
        ID,
    ),
    ("Kubernetes, cri-o, systemd", f"/kubepods.slice/kubepods-{POD}.slice/crio-{ID}.scope", ID),
    ("Kubernetes, cri-o and crun", f"/kubepods.slice/kubepods-{POD}.slice/crio-{ID}.scope/container", ID),
    ("Kubernetes, cri-o, cgroupfs", f"/kubepods/{POD}/crio-{ID}", ID),
    ("Kubernetes, systemd's form as a path", f"/system.slice/kubepods-{POD}.slice:cri-containerd:{ID}", ID),
    (
        "Kubernetes in docker (kind)",
        f"/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/cri-containerd-{ID}.scope",
        ID,
    ),
    ("containerd, nerdctl", f"/system.slice/nerdctl-{ID}.scope", ID),
    # podman: libpod/container.go, createUnitName; podman issue 6400
    ("podman as root", f"/machine.slice/libpod-{ID}.scope/container", ID),
    ("podman as root, cgroupfs", f"/libpod_parent/libpod-{ID}", ID),
    (
        "podman, rootless",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
        ID,
    ),
    (
        "podman, rootless, a pod's",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{OUTER}.slice/libpod-{ID}.scope",
        ID,
    ),
    ("podman, --cgroups=split", f"/system.slice/web.service/libpod-payload-{ID}", ID),
    # aws/amazon-ecs-agent; Datadog's container tests for Fargate
    ("ECS on EC2", f"/ecs/cluster/34dc0b5e626f2c5c4c5170e34b10e765/{ID}", ID),
    (
        "ECS on Fargate",
        "/ecs/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
        "34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
    ),
    # falcosecurity/libs container_engine/lxc; lxc issue 3373
    ("LXC before 3.1", "/lxc/web-1/system.slice/nginx.service", "web-1"),
    ("LXC 3.1", "/lxc.payload/web-1", "web-1"),
    ("LXC from 4.0, LXD", "/lxc.payload.web-1/system.slice/nginx.service", "web-1"),
    ("LXC, attached", "/lxc.payload.web-1/.lxc", "web-1"),
    ("docker in LXD", f"/lxc.payload.web-1/system.slice/docker-{ID}.scope", ID),
    # systemd: src/nspawn/nspawn-cgroup.c, src/machine/machine-dbus.c; libvirt: virSystemdMakeScopeName
    ("systemd-nspawn, as a service", "/machine.slice/systemd-nspawn@web.service/payload/system.slice/x.service", "web"),
    ("systemd-nspawn, by hand", "/machine.slice/machine-web\\x2d1.scope/payload", "web-1"),
    ("libvirt's LXC", "/machine.slice/machine-lxc\\x2d4711\\x2dweb.scope", "web"),
    # Outside of any
    ("the root", "/", None),
    ("nothing", "", None),
    ("a service", "/system.slice/sshd.service", None),
    ("a session", "/user.slice/user-1000.slice/session-3.scope", None),
    ("docker itself", "/system.slice/docker.service", None),
    ("cri-o's monitor", f"/system.slice/crio-conmon-{ID}.scope", None),
    ("podman's monitor", f"/machine.slice/libpod-conmon-{ID}.scope", None),
    ("a pod's own group", f"/machine.slice/machine-libpod_pod_{ID}.slice", None),
    ("LXC's monitor", "/lxc.monitor.web-1", None),
    ("LXC's parent", "/lxc", None),
    ("systemd-nspawn itself", "/machine.slice/systemd-nspawn@web.service/supervisor", None),
    ("a virtual machine", "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", None),
    ("too short an id", f"/docker/{ID[:-1]}", None),
    ("too long an id", f"/docker/{ID}0", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), [path[1:] for path in PATHS], ids=[path[0] for path in PATHS])
def test_the_container_is_read_off_the_path(path: str, expected: str | None) -> None:
    assert container_id(path) == expected


def test_batches_get_the_ids_of_their_paths() -> None:
    """Few rows and many, which are read by distinct path; without a path there is no id."""
    rows = [{"cgroup_path": path} for _, path, _ in PATHS] + [{"cgroup_path": None}]
    expected = [expected for _, _, expected in PATHS] + [None]
    for repeat in (1, 3):
        named = ContainerIds()(batch(*rows * repeat))
        assert named.schema == LIVE_SCHEMA
        assert column(named, "container_id") == expected * repeat
    assert column(ContainerIds()(batch(rows[0], rows[-1])), "container_id") == [ID, None]
