"""Results on their way to the PACS, each confirmed by asking back."""

from ai_for_sudan.clinic.delivery.deliverers import Deliverers, peer_of
from ai_for_sudan.clinic.delivery.peer import Away, Outcome, Peer, Sending

__all__ = ["Away", "Deliverers", "Outcome", "Peer", "Sending", "peer_of"]
