# A package built by a shell in two phases, like those on pkgs/stdenv. The test puts a static shell into ./shell.
let
  shell = ./shell;

  package =
    attributes:
    derivation (
      {
        system = "x86_64-linux";
        builder = "${shell}/bin/sh";
        args = [
          "-e"
          ./setup.sh
        ];
        source = ./source;
        own = placeholder "out";
      }
      // attributes
    );
in
{
  thing = package { name = "thing-1.0"; };

  # Fails between its phases.
  broken = package {
    name = "broken-1.0";
    preCheck = "echo half >half; exit 9";
  };

  # Nothing of it is a shell.
  shellless = derivation {
    name = "shellless-1.0";
    system = "x86_64-linux";
    builder = ./source/program;
    args = [ (placeholder "out") ];
  };
}
