# genericClosure over 240,000 integer and 40,000 string keys.
let
  remainder = n: m: n - n / m * m;
  numbers = builtins.genericClosure {
    startSet = [ { key = 1; } ];
    operator = { key }: map (key: { key = remainder key 240000; }) [ (key * 2 + 1) (key + 7) ];
  };
  strings = builtins.genericClosure {
    startSet = [ { key = "node 1"; n = 1; } ];
    operator = item:
      let make = n: { key = "node ${toString n}"; inherit n; }; in
      [ (make (remainder (item.n * 2 + 1) 40000)) (make (remainder (item.n + 7) 40000)) ];
  };
in
[ (builtins.length numbers) (builtins.length strings) ]
