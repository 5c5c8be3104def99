@echo off
rem The command line of Lanthorn.
"%~dp0..\resources\runtime\node\node.exe" "%~dp0..\resources\runtime\server\main.js" %*
