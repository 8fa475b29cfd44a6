let s = { hello = 1; help = { x = 1; }; }; in s.help.y + s.helo
