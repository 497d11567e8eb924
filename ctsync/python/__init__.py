"""The Python API: what `import ctsync` offers. `ctsync/__init__.py` imports it late."""
