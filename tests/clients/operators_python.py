"""Datadog's own SDK for Python, unmodified, administers the server at DOORWARD_URL (contract: the reference pages
"Org authorized clients", "User authorized clients", "OAuth2 client public", and "Audit").

DOORWARD_ADMIN_TOKEN and DOORWARD_VIEWER_TOKEN are operator tokens. DOORWARD_PERSON is the access token of a person who has
authorized the clients in DOORWARD_CLIENTS, separated by spaces, whose names begin with DOORWARD_NAME. It was issued to
DOORWARD_OWN_CLIENT.
"""

import os
import unittest
import uuid

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.audit_api import AuditApi
from datadog_api_client.v2.api.o_auth2_client_public_api import OAuth2ClientPublicApi
from datadog_api_client.v2.api.org_authorized_clients_api import OrgAuthorizedClientsApi
from datadog_api_client.v2.api.user_authorized_clients_api import UserAuthorizedClientsApi
from datadog_api_client.v2.model.o_auth_oidc_scope import OAuthOidcScope
from datadog_api_client.v2.model.org_authorized_client_type import OrgAuthorizedClientType
from datadog_api_client.v2.model.org_authorized_client_update_attributes import OrgAuthorizedClientUpdateAttributes
from datadog_api_client.v2.model.org_authorized_client_update_data import OrgAuthorizedClientUpdateData
from datadog_api_client.v2.model.org_authorized_client_update_request import OrgAuthorizedClientUpdateRequest
from datadog_api_client.v2.model.upsert_o_auth_scopes_restriction_data import UpsertOAuthScopesRestrictionData
from datadog_api_client.v2.model.upsert_o_auth_scopes_restriction_data_attributes import (
    UpsertOAuthScopesRestrictionDataAttributes,
)
from datadog_api_client.v2.model.upsert_o_auth_scopes_restriction_request import UpsertOAuthScopesRestrictionRequest
from datadog_api_client.v2.model.upsert_o_auth_scopes_restriction_type import UpsertOAuthScopesRestrictionType

URL = os.environ["DOORWARD_URL"]
NAME = os.environ["DOORWARD_NAME"]
CLIENTS = os.environ["DOORWARD_CLIENTS"].split()


def configuration(token=None, **settings):
    """The SDK at the server, with the token as the application key if there is one."""
    made = Configuration(host=URL, **settings)
    if token:
        made.api_key["apiKeyAuth"] = "any text"
        made.api_key["appKeyAuth"] = token
    for operation in ["get_o_auth2_well_known_sites", "get_oidc_discovery_document", "get_scopes_restriction",
                      "upsert_scopes_restriction", "delete_scopes_restriction"]:  # fmt: skip
        made.unstable_operations[operation] = True
    return made


ADMIN = configuration(os.environ["DOORWARD_ADMIN_TOKEN"])
VIEWER = configuration(os.environ["DOORWARD_VIEWER_TOKEN"])
NOBODY = configuration("dwo_unknown")
PERSON = configuration(access_token=os.environ["DOORWARD_PERSON"])


def org(settings=ADMIN):
    return OrgAuthorizedClientsApi(ApiClient(settings))


def mine(settings=PERSON):
    return UserAuthorizedClientsApi(ApiClient(settings))


def listed(**parameters):
    return org().list_org_authorized_clients(filter=NAME, **parameters)


def update(client_id, **attributes):
    return OrgAuthorizedClientUpdateRequest(
        data=OrgAuthorizedClientUpdateData(
            id=client_id,
            type=OrgAuthorizedClientType.ORG_AUTHORIZED_CLIENTS,
            attributes=OrgAuthorizedClientUpdateAttributes(**attributes),
        )
    )


class Administration(unittest.TestCase):
    """The cases run in the order of their names: later ones take away what earlier ones read."""

    def refused(self, status, call, *arguments, **parameters):
        with self.assertRaises(ApiException) as caught:
            call(*arguments, **parameters)
        self.assertEqual(caught.exception.status, status, caught.exception.body)
        return caught.exception.body

    def test_1_authorized_clients_are_listed_filtered_sorted_and_paged(self):
        found = listed(sort="oauth2_client.name")
        self.assertEqual([client.id for client in found.data], CLIENTS)
        self.assertEqual(found.meta.page.total_filtered_count, len(CLIENTS))
        attributes = found.data[0].attributes
        self.assertEqual((attributes.disabled, attributes.user_count), (False, 1))
        self.assertIsNotNone(attributes.last_exercised)
        pages = org().list_org_authorized_clients_with_pagination(filter=NAME, page_size=1)
        self.assertEqual({client.id for client in pages}, set(CLIENTS))
        self.assertEqual(listed(filter_disabled="true").data, [])
        included = listed(include="oauth2_client,user_authorized_clients.user").to_dict()["included"]
        self.assertEqual({one["type"] for one in included}, {"oauth2_clients", "users"})

    def test_2_one_client_is_read_with_its_people(self):
        client = org(VIEWER).get_org_authorized_client(CLIENTS[0], include="oauth2_client.scopes").data
        self.assertEqual(client.relationships.oauth2_client.data.id, CLIENTS[0])
        people = org(VIEWER).list_org_authorized_client_user_authorizations(CLIENTS[0])
        [person] = people.data
        self.assertEqual([scope.id for scope in person.relationships.scopes.data], ["read"])
        self.assertEqual(person.id, client.relationships.user_authorized_clients.data[0].id)
        self.assertLessEqual(person.attributes.created_at, person.attributes.modified_at)

    def test_3_errors_are_the_documented_ones(self):
        unknown = str(uuid.uuid4())
        self.assertEqual(self.refused(401, org(NOBODY).list_org_authorized_clients), {"errors": ["Unauthorized"]})
        body = self.refused(403, org(VIEWER).delete_org_authorized_client, CLIENTS[0])
        self.assertEqual((body["errors"][0]["status"], body["errors"][0]["title"]), ("403", "Forbidden"))
        self.refused(403, mine(ADMIN).list_user_authorized_clients)
        self.refused(403, org(PERSON).list_org_authorized_clients)
        for call in [org().get_org_authorized_client, org().delete_org_authorized_client,
                     mine().get_user_authorized_client, mine().delete_user_authorized_client]:  # fmt: skip
            self.assertEqual(self.refused(404, call, unknown)["errors"][0]["status"], "404")
        body = self.refused(400, org().list_org_authorized_clients, page_size=101)
        self.assertEqual(body["errors"][0]["source"], {"parameter": "page[size]"})
        body = self.refused(422, org().update_org_authorized_client, CLIENTS[0], update(unknown, disabled=True))
        self.assertEqual(body["errors"][0]["source"], {"pointer": "/data/id"})

    def test_4_a_person_reads_and_revokes_their_own(self):
        own = mine().list_user_authorized_clients(filter=NAME, include="oauth2_client").data
        self.assertEqual({one.relationships.oauth2_client.data.id for one in own}, set(CLIENTS))
        pages = mine().list_user_authorized_clients_with_pagination(filter=NAME, page_size=1)
        self.assertEqual(len(list(pages)), len(CLIENTS))
        [last] = [one for one in own if one.relationships.oauth2_client.data.id == CLIENTS[3]]
        self.assertEqual(mine().get_user_authorized_client(last.id).data.id, last.id)
        mine().delete_user_authorized_client(last.id)
        self.refused(404, mine().get_user_authorized_client, last.id)
        mine().delete_user_authorized_clients_by_client(CLIENTS[2])
        self.assertEqual({client.id for client in listed().data}, set(CLIENTS[:2]))

    def test_5_a_client_is_disabled_and_enabled(self):
        changed = org().update_org_authorized_client(CLIENTS[1], update(CLIENTS[1], disabled=True)).data
        self.assertEqual((changed.attributes.disabled, changed.attributes.user_count), (True, 0))
        self.assertEqual([client.id for client in listed(filter_disabled="true").data], [CLIENTS[1]])
        changed = org().update_org_authorized_client(CLIENTS[1], update(CLIENTS[1], disabled=False)).data
        self.assertFalse(changed.attributes.disabled)

    def test_6_audit_events_tell_who_disabled_it(self):
        audit = AuditApi(ApiClient(VIEWER))
        query = f"@action:client.suspended @client_id:{CLIENTS[1]}"
        [event] = audit.list_audit_logs(filter_query=query).data
        self.assertEqual(str(event.type), "audit")
        self.assertEqual(event.attributes.attributes["actor"]["type"], "operator")
        every = list(audit.list_audit_logs_with_pagination(filter_query=f"@client_id:{CLIENTS[1]}", page_limit=2))
        self.assertGreater(len(every), 2)

    def test_7_the_authorizations_of_one_person_are_revoked(self):
        [person] = org().list_org_authorized_client_user_authorizations(CLIENTS[0]).data
        user = person.relationships.user.data.id
        self.refused(404, org().delete_org_authorized_client_user_authorization, CLIENTS[0], str(uuid.uuid4()))
        # The access token of the person is of another client, and stays.
        org().delete_org_authorized_client_user_authorization(CLIENTS[0], person.id)
        self.refused(404, org().delete_org_authorized_client_all_user_authorizations, CLIENTS[0], user)
        mine().list_user_authorized_clients()

    def test_8_everyone_reads_the_sites_and_the_openid_document(self):
        public = OAuth2ClientPublicApi(ApiClient(configuration()))
        sites = public.get_o_auth2_well_known_sites().data
        self.assertEqual((str(sites.type), sites.attributes.sites), ("env", [URL.split("//")[1]]))
        found = public.get_oidc_discovery_document()
        self.assertEqual(found.issuer, URL)


    def test_9_scopes_are_restricted_and_allowed_again(self):
        api = OAuth2ClientPublicApi(ApiClient(ADMIN))
        client = uuid.UUID(CLIENTS[0])
        self.assertIsNone(api.get_scopes_restriction(client).data.attributes.scopes_restriction)
        attributes = UpsertOAuthScopesRestrictionDataAttributes(
            oidc_scopes=[OAuthOidcScope("openid")], permission_scopes=["dashboards_read"]
        )
        kind = UpsertOAuthScopesRestrictionType.UPSERT_SCOPES_RESTRICTION
        body = UpsertOAuthScopesRestrictionRequest(
            data=UpsertOAuthScopesRestrictionData(type=kind, attributes=attributes)
        )
        found = api.upsert_scopes_restriction(client, body).data.attributes.scopes_restriction
        self.assertEqual((list(found.permission_scopes), [str(one) for one in found.oidc_scopes]),
                         (["dashboards_read"], ["openid"]))  # fmt: skip
        api.delete_scopes_restriction(client)
        self.assertIsNone(api.get_scopes_restriction(client).data.attributes.scopes_restriction)
        self.refused(404, api.get_scopes_restriction, uuid.uuid4())


if __name__ == "__main__":
    unittest.main()
