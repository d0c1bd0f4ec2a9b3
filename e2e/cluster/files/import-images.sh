#!/bin/sh
# Fills a root file system's /var/lib/containerd: runs in it (chroot) as the first process of a
# process and mount namespace of its own, so that nothing is left when it ends.
# Arguments: the archive, then the digests of its layers.
set -eu
archive=$1
shift
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
containerd >/run/containerd.log 2>&1 &
containerd=$!
tries=0
until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
        cat /run/containerd.log >&2
        exit 1
    fi
    sleep 0.1
done
ctr -n k8s.io images import "$archive"
# Unpacked, so the layers themselves would only double what every node has to copy.
ctr -n k8s.io content rm "$@" >/dev/null
# Only removing an image in step with the garbage collector makes it delete the files at once.
first=$(ctr -n k8s.io images list -q | head -n 1)
ctr -n k8s.io images tag "$first" holdfast.invalid/none:none >/dev/null
ctr -n k8s.io images rm --sync holdfast.invalid/none:none >/dev/null
kill "$containerd"
wait "$containerd" || true # what it exits with when told to end does not matter
