"""The HTML report in a real browser: Debian's Chromium, without a screen."""
