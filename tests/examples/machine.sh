#!/usr/bin/env bash
# machine.sh ROOT PYTHON PATH...: a machine of its own, for `machine.py`: the system's programs, nothing else of this machine, and a
# network of loopback alone. ROOT becomes its root folder; PATHs are there too, as they are here. Runs until it is killed.
set -euo pipefail
root=$1 python=$2
shift 2

mount -t tmpfs -o mode=755 machine "$root"
for entry in /*; do
  name=${entry#/}
  if [ -L "$entry" ]; then
    cp -a "$entry" "$root/$name"
  elif [[ " bin etc lib lib32 lib64 opt proc sbin sys usr " == *" $name "* ]]; then
    mkdir "$root/$name"
    mount --rbind "$entry" "$root/$name"
  fi
done
mkdir -p "$root"/{dev,home,root,run,srv,evidence,programs,var/lib,var/log}
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
for name in full null random urandom zero; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
for path; do
  if ! [ -e "$root$path" ]; then
    mkdir -p "$root$path"
    mount --bind "$path" "$root$path"
  fi
done

# An account to log in as, and a way from it to root: sudo is a script, and only programs can be setuid.
for file in passwd group; do cp "/etc/$file" "$root/programs/$file"; done
echo 'alice:x:4242:4242::/home/alice:/bin/sh' >> "$root/programs/passwd"
echo 'alice:x:4242:' >> "$root/programs/group"
for file in passwd group; do mount --bind "$root/programs/$file" "$root/etc/$file"; done
cp "$(command -v setpriv)" "$root/programs/setpriv-as-root"
chmod 4755 "$root/programs/setpriv-as-root"
program() { cat > "$root/programs/$1"; chmod 755 "$root/programs/$1"; }
program sudo <<'SH'
#!/bin/sh
user=$(id -un)
exec setpriv-as-root --reuid 0 --regid 0 --clear-groups env -i PATH="$PATH" HOME=/root USER=root LOGNAME=root \
  SUDO_USER="$user" SUDO_UID="$(id -u)" SUDO_GID="$(id -g)" "$@"
SH
# A host far away has this machine's files.
program ssh <<'SH'
#!/bin/sh
shift
exec "$@"
SH
# What is read by a person or a pager: it says that something arrived.
program alert <<'SH'
#!/bin/sh
read -r line && echo "$line" > /tmp/alerted
exec cat > /dev/null
SH
program jq <<'SH'
#!/bin/sh
exec cat
SH

# The network of loopback, and the system's log.
exec chroot "$root" "$python" - <<'PY'
import fcntl, os, socket, struct

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
print("ready", flush=True)
while True:
    log.recv(65536)
PY
