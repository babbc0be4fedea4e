# Sourced by the commands beside this directory. Builds what is missing or out of date, then runs a
# main class:  launch dev.conveyor.SomeMain arguments...
#
#   CONVEYOR_HEAP       largest Java heap, 2g by default
#   CONVEYOR_JAVA_OPTS  more options for Java, after and so above those below
#   JAVA_HOME           the JDK to use, else the one on the path; a bundle uses its own
set -euo pipefail

repo_root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"

fail() {
  echo "$(basename -- "$0"): $*" >&2
  exit 1
}

# Whether this is an unpacked bundle: everything is beside the scripts, and nothing is built.
is_bundle() {
  [[ -x "$repo_root/runtime/bin/java" && -f "$repo_root/lib/classpath" ]]
}

find_java() {
  if is_bundle; then
    java_bin="$repo_root/runtime/bin/java"
  elif [[ -n "${JAVA_HOME:-}" ]]; then
    java_bin="$JAVA_HOME/bin/java"
    [[ -x "$java_bin" ]] || fail "JAVA_HOME is $JAVA_HOME, but $java_bin cannot be run"
  else
    java_bin="$(command -v java)" || fail "java is not on the path; install a JDK, version 17 or later"
  fi
  local version
  version="$("$java_bin" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)"
  java_major="${version:-0}"
  ((java_major >= 17)) || fail "$java_bin is version $java_major; a JDK 17 or later is needed"
}

# In a bundle. Its native libraries come before those of the machine.
use_bundle() {
  local name
  class_path=""
  while read -r name; do
    class_path+="${class_path:+:}$repo_root/lib/$name"
  done <"$repo_root/lib/classpath"
  jar="$repo_root/lib/classpath"
  archive="$repo_root/lib/classes.jsa"
  if [[ -d "$repo_root/native" ]]; then
    export LD_LIBRARY_PATH="$repo_root/native${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    options+=("-Dconveyor.cuda.path=$repo_root/native")
  fi
}

# True if the jar is there and no source or build file is newer.
is_built() {
  local module="$repo_root/verticles/target"
  jar="$(find "$module" -maxdepth 1 -name 'conveyor-verticles-*.jar' \
    ! -name '*-tests.jar' ! -name '*-sources.jar' 2>/dev/null | head -n 1)"
  [[ -n "$jar" && -f "$module/classpath" ]] || return 1
  class_path="$jar:$(cat "$module/classpath")"
  # The class path holds absolute paths: a directory that was moved is not built.
  grep -q -F -- "$repo_root/" "$module/classpath" || return 1
  local newer
  newer="$(find "$repo_root" -path '*/target' -prune -o \
    \( -path '*/src/main/*' -o -name pom.xml \) -type f -newer "$jar" -print -quit)"
  [[ -z "$newer" ]]
}

build() {
  command -v mvn >/dev/null || fail "mvn is not on the path; install Maven 3.8 or later"
  echo "building (the first time downloads libraries; later starts skip this) ..." >&2
  # Without tests: sources of tests are compiled all the same, since modules share test fixtures.
  (cd "$repo_root" && mvn -B -q -DskipTests package >&2) || fail "the build failed, see above"
  # A jar that did not change keeps its old date.
  find "$repo_root/verticles/target" -maxdepth 1 -name 'conveyor-verticles-*.jar' -exec touch {} +
  is_built || fail "the build left no jar in $repo_root/verticles/target"
}

# Keeps the classes of a server in the form that the JVM maps into memory: a third less time to start.
# One that cannot be made is left empty and done without, as is one that another JVM wrote.
archive_classes() {
  echo "preparing a fast start (once after a build) ..." >&2
  local made="$archive.$$"
  "$java_bin" -XX:ArchiveClassesAtExit="$made" "${options[@]}" -Xlog:disable \
    -cp "$class_path" dev.conveyor.verticles.cli.Main demo --images 4 --rounds 0 >/dev/null 2>&1 ||
    : >"$made"
  touch -- "$made" && mv -f -- "$made" "$archive"
}

launch() {
  local main="$1"
  shift
  # Every thread that loads a model would otherwise keep an arena of freed memory to itself.
  export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
  find_java
  local options=(
    -XX:+UseParallelGC
    "-Xms${CONVEYOR_HEAP:-512m}"
    "-Xmx${CONVEYOR_HEAP:-2g}"
    # The JVM's own figures, for jstat, are kept once a second, not twenty times: nobody else wakes
    # an idle server as often.
    -XX:PerfDataSamplingInterval=1000
    # Native memory is accounted for by the server itself, not by JavaCPP's rule of thumb.
    -Dorg.bytedeco.javacpp.maxPhysicalBytes=0
    -Dorg.bytedeco.javacpp.maxBytes=0
    # Where conf/ is: a path that a command is given is relative to the caller's directory.
    "-Dconveyor.home=$repo_root"
  )
  if ((EUID == 0)); then
    # What the JVM compiles nobody waits for: requests have the cores first. Others than root may do
    # the same, but the JVM would say at every start that it might need a permission.
    options+=(-XX:ThreadPriorityPolicy=1 -XX:CompilerThreadPriority=10)
  fi
  if ((java_major >= 24)); then
    options+=(--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow)
  fi
  local archive="$repo_root/verticles/target/classes.jsa"
  if is_bundle; then
    use_bundle
  else
    is_built || build
  fi
  [[ "$archive" -nt "$jar" || ! -w "$(dirname -- "$archive")" ]] || archive_classes
  if [[ -s "$archive" ]]; then
    options+=("-XX:SharedArchiveFile=$archive" -Xlog:cds=off -Xlog:cds+dynamic=off)
  fi
  local extra=()
  read -r -a extra <<<"${CONVEYOR_JAVA_OPTS:-}"
  exec "$java_bin" "${options[@]}" ${extra[@]+"${extra[@]}"} -cp "$class_path" "$main" "$@"
}
