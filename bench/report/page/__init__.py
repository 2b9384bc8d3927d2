"""The interactive page: ``data`` says what it shows, ``html`` puts it into one file, page.js and page.css do the rest."""
