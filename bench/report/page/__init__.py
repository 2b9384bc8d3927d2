"""The interactive page: ``data`` says what it shows, ``html`` makes one file of it, with page.js and page.css."""
