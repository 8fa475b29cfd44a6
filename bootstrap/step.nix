# A step of the climb that has a shell: `script` is run by the shell of `tools`, the first folder that has one,
# with PATH the bin folders of `tools` and nothing else. setup.sh is what all scripts begin with.
{ shell }:

{
  name,
  tools,
  script,
  source,
  variables ? { },
}:

derivation (
  {
    inherit name source;
    system = "x86_64-linux";
    builder = shell;
    args = [
      "-e"
      script
    ];
    setup = ./setup.sh;
    PATH = builtins.concatStringsSep ":" (map (tool: "${tool}/bin") tools);
    SHELL = shell;
    CONFIG_SHELL = shell;
    LC_ALL = "C";
    # Manuals are neither made nor installed.
    MAKEINFO = "true";
    # Address and clock of the machine are the sandbox's; what asks for a date gets this one.
    SOURCE_DATE_EPOCH = "1";
  }
  // variables
)
