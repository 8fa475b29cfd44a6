let map = x: "mine"; in [ (map 1) (builtins.map (x: x) [ 1 ]) (__add 1 2) (with { true = 0; builtins = 1; }; true) (let true = 3; in true) builtins.storeDir or 1 ]
