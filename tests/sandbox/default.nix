# Derivations whose builder tries its sandbox, one for each word of probe.c.
let
  pkgs = import ../../pkgs { bootstrap = import ../../bootstrap; };

  probe = pkgs.buildProgram {
    pname = "probe";
    version = "0";
    sources = [ ./probe.c ];
  };

  input = ./probe.c;

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
      ];
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
