"""What virtual routers' standing depends on, watched by the node process: scripts, files, a gateway, pools."""

from hapair.tracking.runner import Tracking, TrackView

__all__ = ["TrackView", "Tracking"]
