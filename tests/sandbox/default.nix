# Derivations whose builder tries its sandbox, one for each word of probe.c. Outside it somebody listens at an abstract socket, `listener`,
# and at a port of the loopback interface, for `escapes` to try.
{
  listener ? "nobody",
  port ? "0",
}:
let
  pkgs = import ../../pkgs { bootstrap = import ../../bootstrap; };

  probe = pkgs.buildProgram {
    pname = "probe";
    version = "0";
    sources = [ ./probe.c ];
  };

  input = ./probe.c;

  # What some words are told beside.
  more = {
    escapes = [
      listener
      port
    ];
    proc = [
      "/proc/cmdline"
      "/proc/modules"
      "/proc/sys/kernel/random/boot_id"
      "/proc/cpuinfo"
      "/proc/meminfo"
    ];
  };

  run =
    word:
    derivation {
      name = "probe-${word}";
      system = "x86_64-linux";
      builder = probe;
      args = [
        word
        (placeholder "out")
        input
      ]
      ++ (more.${word} or [ ]);
    };

  words = [
    "closed"
    "daemon"
    "escapes"
    "fails"
    "fifo"
    "floods"
    "i386"
    "identity"
    "link-out"
    "loops"
    "nothing"
    "proc"
    "speaks"
    "stranger"
    "view"
  ];
in
{ inherit probe; }
// builtins.listToAttrs (
  map (word: {
    name = word;
    value = run word;
  }) words
)
