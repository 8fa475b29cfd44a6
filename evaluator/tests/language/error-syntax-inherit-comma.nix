{ x, y }: { inherit x, y; }
