{ x }: { inherit x.y; }
