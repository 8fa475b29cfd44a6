# Strings that grow by `+`, as naive code builds them, and an indentation of a document line by line.
let
  range = builtins.genList (n: n);
  grown = builtins.foldl' (text: n: text + "x") "" (range 20000);
  lines = builtins.foldl' (text: n: "${text}${toString n}\n") "" (range 8000);
  quoted = map (n: ''
    [section.${toString n}]
      name = "entry ${toString n}"
      ${if n / 3 * 3 == n then "enabled = true" else "# disabled"}
  '') (range 150000);
in
[ (builtins.stringLength grown) (builtins.stringLength lines) (builtins.stringLength (builtins.concatStringsSep "\n" quoted)) ]
