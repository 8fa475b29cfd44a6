let inherit ({ a = 1; b = 2; }) a b; s = { inherit ({ c = 3; }) c; ${"d" + "d"} = 4; n.m = 1; n = { ${"q" + "r"} = 2; }; }; in [ a b s ]
