# Sorting 100,000 integers with a builtin and with a lambda, 100,000 strings, and sets by an attribute.
let
  next = n: let m = n * 1103515245 + 12345; in m - m / 2147483648 * 2147483648;
  numbers = builtins.genList (n: next (next n)) 100000;
  ordered = builtins.sort builtins.lessThan numbers;
  reversed = builtins.sort (a: b: b < a) numbers;
  strings = builtins.sort (a: b: a < b) (map toString numbers);
  records = builtins.sort (a: b: a.priority < b.priority) (map (n: { priority = n; }) numbers);
  at = list: map (builtins.elemAt list) [ 0 777 50000 99999 ];
in
[ (at ordered) (at reversed) (at strings) (map (r: r.priority) (at records)) ]
