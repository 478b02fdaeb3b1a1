#!/usr/bin/env bash
# A Slurm cluster on this machine: one controller, two nodes with two pretend GPUs each.
#
#   cluster.sh start FOLDER [PORT]   configuration, state and logs go there; returns once the nodes are idle;
#                                    uses the port and the two after it
#   cluster.sh kill FOLDER NODE      end a node with everything on it, as a power cut would
#   cluster.sh revive FOLDER NODE    start it again
#   cluster.sh stop FOLDER
#
# Needs root, and Debian's packages slurmctld, slurmd, slurm-client and munge; no systemd, no cgroups.
set -euo pipefail

PATH=$PATH:/usr/sbin
command=$1 folder=$2
export SLURM_CONF=$folder/slurm.conf
nodes="node1 node2"

configure() {
    mkdir -p "$folder"/{state,log,spool/node1,spool/node2,munge,dev}
    chmod 755 "$folder"
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge/key")
    chown -R munge:munge "$folder/munge"
    # slurmd wants character devices, and numbers GPUs by the digit at the end of their name.
    ln -sf /dev/null "$folder/dev/nvidia0"
    ln -sf /dev/null "$folder/dev/nvidia1"
    echo "Name=gpu File=$folder/dev/nvidia[0-1]" >"$folder/gres.conf"
    echo "CgroupAutomount=no" >"$folder/cgroup.conf"
    cat >"$SLURM_CONF" <<CONF
ClusterName=spotcat
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmUser=root
SlurmdUser=root
# A requeued job waits until its old credential has expired.
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
# Short, so that tests of walltime and of dead nodes take seconds.
KillWait=2
SlurmdTimeout=5
SlurmctldTimeout=10
InactiveLimit=0
MailProg=/bin/true
GresTypes=gpu
# Nodes claim more cores than there may be.
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(($1 + 1)) CPUs=8 RealMemory=4000 Gres=gpu:2
NodeName=node2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(($1 + 2)) CPUs=8 RealMemory=4000 Gres=gpu:2
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

wait_for_nodes() {
    for _ in $(seq 300); do
        [ "$(sinfo --noheader --Node --states=idle,mixed,allocated --format=%N 2>/dev/null | wc -l)" -eq 2 ] && return
        sleep 0.2
    done
    sinfo --Node --long >&2 || true
    tail -n 20 "$folder"/log/*.log >&2
    exit 1
}

# The node's daemon, the daemons of its job steps, and all that they started, by their process ids.
family() {
    local process
    for process in "$@"; do
        echo "$process"
        # shellcheck disable=SC2046
        family $(cat /proc/"$process"/task/*/children 2>/dev/null)
    done
}

# Step daemons leave their parent; their command line names their node's spool folder or nothing, but each holds
# its node's log open.
daemons() {
    local file process
    for file in /proc/[0-9]*/fd/*; do
        if [ "$(readlink "$file")" = "$folder/log/$1.log" ]; then
            process=${file#/proc/}
            echo "${process%%/*}"
        fi
    done 2>/dev/null | sort -u
}

case $command in
start)
    configure "${3:-17817}"
    runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --num-threads=2 \
        --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
    slurmctld
    for node in $nodes; do slurmd -N "$node"; done
    wait_for_nodes
    ;;
kill)
    # shellcheck disable=SC2046
    kill -KILL $(family $(daemons "$3")) 2>/dev/null || true
    ;;
revive)
    slurmd -N "$3"
    wait_for_nodes
    ;;
stop)
    scancel --user=root 2>/dev/null || true
    for node in $nodes; do
        # shellcheck disable=SC2046
        kill -KILL $(family $(daemons "$node")) 2>/dev/null || true
    done
    for daemon in slurmctld.pid munge/pid; do
        [ -s "$folder/$daemon" ] && kill "$(cat "$folder/$daemon")" || true
    done
    ;;
*)
    echo "cluster.sh: unknown command $command" >&2
    exit 2
    ;;
esac
