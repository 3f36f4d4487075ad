# A task of the chaos tests: task.sh SECONDS. It writes its own journal, a line per fact and each in one write, so that what is said
# about the run rests on nothing that the system says about itself.
#
# The lock is held until every process of the task is gone: whoever can't have it runs beside another.
# As long as a file hold-<task> lies on the node the task does not end, so that the tests can't miss their moment on a busy machine.
# If a file mine-<task> lies there, the task kills its agent once its own work is done.

say() {
    echo "$1 $FUELWEB_TASK $FUELWEB_RUN $FUELWEB_ATTEMPT $$ $(date +%s.%N)" >> "$FUELWEB_ROOT/journal"
}

exec 9>> "$FUELWEB_ROOT/lock"
flock -n 9 || say overlap
say start
sleep "$1"
while [ -e "$FUELWEB_ROOT/hold-$FUELWEB_TASK" ]; do sleep 0.05; done
say end
if rm "$FUELWEB_ROOT/mine-$FUELWEB_TASK" 2> /dev/null; then
    kill -9 "$PPID"
fi
