"""Other programs' records of runs, a file each: listeners that write what they read."""
