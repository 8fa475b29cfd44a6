let hello = 1; wrold = 2; in helo + world
