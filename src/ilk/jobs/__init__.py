"""Long work that outlives whoever asked for it: a store of jobs, and what runs them. The server, the studio and `ilk jobs` share it."""
