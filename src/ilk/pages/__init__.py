"""Reports: one self-contained page of HTML with its charts inside."""
