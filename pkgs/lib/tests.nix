# A package's tests: derivations that run one script each, with the package's programs in PATH, and its store path in `package`.
{
  system,
  shell,
  # Packages whose programs every test has.
  tools,
}:
{
  pname,
  package,
  # Scripts by the tests' names.
  scripts,
  # More packages in PATH.
  inputs ? [ ],
}:
builtins.mapAttrs (
  name: script:
  derivation {
    name = "${pname}-test-${name}";
    inherit system package;
    builder = shell;
    args = [
      "-eu"
      "-o"
      "pipefail"
      "-c"
      "${script}\necho passed >\"$out\"\n"
    ];
    PATH = builtins.concatStringsSep ":" (map (package: "${package}/bin") ([ package ] ++ inputs ++ tools));
    binSh = shell;
  }
) scripts
