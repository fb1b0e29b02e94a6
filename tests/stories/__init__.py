"""Stories: what the pages say is run."""
