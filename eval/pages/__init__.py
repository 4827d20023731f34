"""The report that people read: its sentences, tables and plots, as HTML, Markdown and JSON."""
