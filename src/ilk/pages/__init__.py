"""Pages: self-contained HTML in English or Chinese, with its pictures and charts inside."""
