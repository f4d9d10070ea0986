"""A PACS by DICOMweb: STOW-RS (PS3.18 10.5), then QIDO-RS (10.6) to see what it kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session, create_session_from_user_pass
from pydicom import dcmread
from pydicom.dataset import Dataset

from ai_for_sudan.clinic.config import Config, Destination
from ai_for_sudan.clinic.delivery.peer import Away, Outcome, Sending
from ai_for_sudan.radiographs import one_line

LOG = logging.getLogger(__name__)
#: seconds, to connect and to answer
TIMEOUT = (10, 60)
#: failure reason of what is there already (PS3.7 C.5.6)
DUPLICATE = 0x0111
#: results in one request: proxies limit what they take
MOST = 8
PROXY = (
    "something between here and {name} accepts only small requests (HTTP 413), usually a proxy with a limit of 1 MB; "
    "set client_max_body_size 50m in nginx, or LimitRequestBody in Apache"
)


class _Impatient(requests.adapters.HTTPAdapter):
    """A server that never answers must not hold the others up."""

    def send(self, request: Any, **more: Any) -> Any:  # type: ignore[override]
        return super().send(request, **more | {"timeout": TIMEOUT})


class DicomWebPeer:
    """One DICOMweb server of the configuration."""

    def __init__(self, config: Config, destination: Destination) -> None:
        self._config, self._destination = config, destination
        self.name = destination.name

    def _client(self) -> DICOMwebClient:
        there = self._destination
        if there.user:
            try:
                password = self._config.path(there.password_file).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Away(f"{there.name}: the password file cannot be read: {error}") from error
            session = create_session_from_user_pass(there.user, password)
        else:
            session = create_session()
        if there.tls_authority:
            session.verify = str(self._config.path(there.tls_authority))
        session.mount("http://", _Impatient())
        session.mount("https://", _Impatient())
        client = DICOMwebClient(there.url.rstrip("/"), session=session)
        client.set_http_retry_params(retry=False)  # the store remembers what is to be tried again, and when
        return client

    def send(self, results: Sequence[Sending]) -> list[Outcome]:
        client = self._client()
        outcomes: list[Outcome] = []
        for first in range(0, len(results), MOST):
            part = results[first : first + MOST]
            try:
                answer = client.store_instances([dcmread(sending.file) for sending in part])
            except requests.HTTPError as error:
                outcomes += self._http_error(error, part)
                continue
            except (requests.ConnectTimeout, requests.exceptions.ConnectionError) as error:
                if outcomes or _may_have_arrived(error):
                    words = f"{self.name} ended the conversation before it answered: {_reason(error)}"
                    return outcomes + [Outcome(sending.delivery, "uncertain", words) for sending in part]
                raise Away(f"{self.name} does not answer at {self._destination.url}: {_reason(error)}") from error
            except (requests.RequestException, OSError, ValueError) as error:
                words = f"{self.name} gave no answer that can be read: {_reason(error)}"
                return outcomes + [Outcome(sending.delivery, "uncertain", words) for sending in part]
            outcomes += [self._outcome(sending, answer) for sending in part]
        return outcomes

    def _outcome(self, sending: Sending, answer: Any) -> Outcome:
        """From the store instances response (PS3.18 table I.2-1); one that says nothing of it is asked later."""
        for failed in answer.get("FailedSOPSequence", []):
            if str(failed.get("ReferencedSOPInstanceUID", "")) == sending.sop_uid:
                code = int(failed.get("FailureReason", 0) or 0)
                if code == DUPLICATE:
                    break
                state = "later" if code & 0xFF00 == 0xA700 or code == 0x0110 else "refused"
                return Outcome(sending.delivery, state, f"{self.name} did not accept it (reason {code:04X}H)")
        return Outcome(sending.delivery, "taken")

    def _http_error(self, error: requests.HTTPError, part: Sequence[Sending]) -> list[Outcome]:
        status = error.response.status_code if error.response is not None else 0
        if status == 413:
            words, state = PROXY.format(name=self.name), "later"
        elif status in (401, 403):
            words, state = (
                f"{self.name} does not allow this clinic to store (HTTP {status}): check the password",
                "later",
            )
        elif status == 409:
            return self._conflict(error, part)
        elif 400 <= status < 500 and status not in (404, 408, 429):
            words, state = f"{self.name} did not accept it (HTTP {status})", "refused"
        else:
            words, state = f"{self.name} has a fault, or the address is wrong (HTTP {status})", "later"
        return [Outcome(sending.delivery, state, words) for sending in part]

    def _conflict(self, error: requests.HTTPError, part: Sequence[Sending]) -> list[Outcome]:
        """HTTP 409: nothing was stored, perhaps because all of it is there already (PS3.18 10.5.3)."""
        try:
            answer = Dataset.from_json(error.response.json() if error.response is not None else {})
        except (ValueError, TypeError, AttributeError):  # a body of some proxy, which says nothing
            answer = Dataset()
        if answer.get("FailedSOPSequence"):
            return [self._outcome(sending, answer) for sending in part]
        there = self.has(part)
        words = f"{self.name} did not accept it (HTTP 409)"
        return [
            Outcome(one.delivery, "taken") if one.delivery in there else Outcome(one.delivery, "refused", words)
            for one in part
        ]

    def commit(self, results: Sequence[Sending], transaction: str) -> None:
        raise Away(f"{self.name} is asked by QIDO-RS: DICOMweb has no Storage Commitment here")

    def has(self, results: Sequence[Sending]) -> set[int]:
        client, found = self._client(), set()
        for sending in results:
            try:
                answers = client.search_for_instances(
                    sending.study_uid, sending.series_uid, search_filters={"SOPInstanceUID": sending.sop_uid}
                )
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code == 404:
                    continue
                raise Away(f"{self.name} could not report what it holds: {_reason(error)}") from error
            except (requests.RequestException, OSError, ValueError) as error:
                raise Away(f"{self.name} does not answer at {self._destination.url}: {_reason(error)}") from error
            if any(answer.get("00080018", {}).get("Value", [""])[0] == sending.sop_uid for answer in answers):
                found.add(sending.delivery)
        return found

    def check(self) -> str:
        try:
            self._client().search_for_studies(limit=1)
        except (requests.RequestException, OSError, ValueError) as error:
            raise Away(f"{self.name} does not answer at {self._destination.url}: {_reason(error)}") from error
        return "answers QIDO-RS"


def _may_have_arrived(error: Exception) -> bool:
    """Whether a request left before the connection broke."""
    text = str(error)
    return not isinstance(error, requests.ConnectTimeout) and "Failed to establish" not in text and "SSL" not in text


def _reason(error: Exception) -> str:
    """In one line, without the chain of objects that requests prints."""
    text = one_line(error)
    match = re.search(r"\[Errno -?\d+\] ([\w ]+)|(timed out)|(\d{3} \w+ Error)|(certificate verify failed[^()]*)", text)
    return next(group for group in match.groups() if group).strip() if match else text[:120]
