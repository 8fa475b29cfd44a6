# toJSON and fromJSON of 8 MB, and equality of what comes back.
let
  record = n: {
    name = "package-${toString n}";
    version = "1.${toString n}.0";
    tags = [ "free" "stable \"quoted\"" "tab\tnew\nline" ];
    numbers = [ n (n * 2) (n * 1.5) ];
    nested = { enabled = true; parent = null; children = { left = n - 1; right = n + 1; }; };
  };
  data = builtins.genList record 45000;
  text = builtins.toJSON data;
  back = builtins.fromJSON text;
in
[ (builtins.stringLength text) (builtins.length back) (back == data) ]
