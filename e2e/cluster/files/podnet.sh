#!/bin/sh
# Makes one node part of the pod network; may be run any number of times.
# Arguments: the ranges of all pods and of Services, this node's range of pods, then for every other
# node its range and its address. The CNI configuration is standard input.
set -eu
pod_range=$1
service_range=$2
node_range=$3
shift 3

rule() { # table, chain, rule
    table=$1
    chain=$2
    shift 2
    iptables -w -t "$table" -C "$chain" "$@" 2>/dev/null || iptables -w -t "$table" -A "$chain" "$@"
}

sysctl -q -w net.ipv4.ip_forward=1
while [ $# -ge 2 ]; do
    ip route replace "$1" via "$2"
    shift 2
done
rule nat POSTROUTING -s "$node_range" ! -d "$pod_range" -j MASQUERADE

# An address that is no Service's (yet) or no node's must not leave the cluster for whatever
# network the machine is in: kube-proxy may be a moment behind the pods.
rule filter FORWARD -d "$service_range" -j REJECT
rule filter OUTPUT -d "$service_range" -j REJECT
ip route replace unreachable "$pod_range"

# Last, and whole at once: the runtime takes the node for ready when this file is there.
mkdir -p /etc/cni/net.d
cat >/etc/cni/net.d/.holdfast.partial
mv /etc/cni/net.d/.holdfast.partial /etc/cni/net.d/10-holdfast.conflist
