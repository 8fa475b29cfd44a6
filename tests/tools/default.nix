# Packages whose programs are links to tool.c's program.
let
  pkgs = import ../../pkgs { bootstrap = import ../../bootstrap; };

  program = pkgs.buildProgram {
    pname = "program";
    version = "0";
    sources = [ ./tool.c ];
  };

  package =
    name: command:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = program;
      args = [
        "make"
        (placeholder "out")
        command
      ];
    };
in
{
  inherit program;
  tool = package "tool-1.0" "tool";
  # Its main program isn't called as it is.
  suite = package "suite-1.0" "second-tool" // {
    meta.mainProgram = "second-tool";
  };
  nameless = package "nameless-1.0" "third-tool";
}
