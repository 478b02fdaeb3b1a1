"""From light-curve files to one checked store: find, identify, read, clean, write.

Only this room knows lightkurve and the missions' file formats.  The rest of spotcat reads the store through
:class:`spotcat.ingest.store.LightCurveStore`, which needs neither.
"""
