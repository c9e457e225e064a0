// Datadog's own SDK for Java, unmodified, administers the server at DOORWARD_URL. The variables, and what is expected of the
// server, are those of tests/clients/operators_python.py. Version 2.50.0 has no classes for authorized clients, sites, and
// scope restrictions: these operations go through its `invokeAPI`, which its classes call as well.

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.datadog.api.client.ApiClient;
import com.datadog.api.client.ApiException;
import com.datadog.api.client.Pair;
import com.datadog.api.client.v2.api.AuditApi;
import jakarta.ws.rs.core.GenericType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** Later tests take away what earlier ones read. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class OperatorsTest {
  static final String UNKNOWN = "0199f2a4-7c11-7abc-8def-001122334455";
  static final String URL = System.getenv("DOORWARD_URL");
  static final String NAME = System.getenv("DOORWARD_NAME");
  static final List<String> CLIENTS = List.of(System.getenv("DOORWARD_CLIENTS").split(" "));
  static final String ORG = "/api/v2/org_authorized_clients";
  static final String MINE = "/api/v2/user_authorized_clients";

  static final Sdk admin = Sdk.withKeys(System.getenv("DOORWARD_ADMIN_TOKEN"));
  static final Sdk viewer = Sdk.withKeys(System.getenv("DOORWARD_VIEWER_TOKEN"));
  static final Sdk nobody = Sdk.withKeys("dwo_unknown");
  static final Sdk anyone = new Sdk(new ApiClient());
  // The SDK knows no scheme for an access token at these operations: it is the application key.
  static final Sdk person = Sdk.withKeys(System.getenv("DOORWARD_PERSON"));

  record Sdk(ApiClient client) {
    Sdk {
      client.setServerIndex(1);
      client.setServerVariables(Map.of("protocol", "http", "name", URL.split("//")[1]));
    }

    static Sdk withKeys(String token) {
      ApiClient client = new ApiClient();
      client.configureApiKeys(Map.of("apiKeyAuth", "any text", "appKeyAuth", token));
      return new Sdk(client);
    }

    Json call(String method, String path, Object body, String... query) throws ApiException {
      List<Pair> pairs = new ArrayList<>();
      for (int nth = 0; nth < query.length; nth += 2) {
        pairs.addAll(client.parameterToPairs("", query[nth], query[nth + 1]));
      }
      boolean hasAnswer = !method.equals("DELETE");
      String[] accepts = {hasAnswer ? "application/json" : "*/*"};
      String[] auth = this == anyone ? new String[0] : new String[] {"apiKeyAuth", "appKeyAuth"};
      var builder = client.createBuilder(
          "v2.operation", path, pairs, new HashMap<>(), new HashMap<>(), accepts, auth);
      GenericType<Map<String, Object>> type = hasAnswer ? new GenericType<>() {} : null;
      String[] contentTypes = body == null ? new String[0] : new String[] {"application/json"};
      var answer = client.invokeAPI(
          method, builder, new HashMap<>(), contentTypes, body, new HashMap<>(), false, type);
      return new Json(answer.getData());
    }

    Json get(String path, String... query) throws ApiException {
      return call("GET", path, null, query);
    }

    void delete(String path) throws ApiException {
      call("DELETE", path, null);
    }
  }

  /** A part of a document. */
  record Json(Object value) {
    Json at(Object... steps) {
      Object found = value;
      for (Object step : steps) {
        found = step instanceof Integer nth ? ((List<?>) found).get(nth) : ((Map<?, ?>) found).get(step);
      }
      return new Json(found);
    }

    List<Json> all() {
      return ((List<?>) value).stream().map(one -> new Json(one)).toList();
    }

    String text() {
      return (String) value;
    }
  }

  interface Call {
    void run() throws ApiException;
  }

  static String refused(int status, Call call) {
    ApiException refusal = assertThrows(ApiException.class, call::run);
    assertEquals(status, refusal.getCode(), refusal.getResponseBody());
    return refusal.getResponseBody();
  }

  static List<String> listed(String... query) throws ApiException {
    List<String> with = new ArrayList<>(List.of("filter", NAME));
    with.addAll(List.of(query));
    Json page = admin.get(ORG, with.toArray(String[]::new));
    return page.at("data").all().stream().map(one -> one.at("id").text()).toList();
  }

  static Map<String, Object> update(String id, boolean disabled) {
    return Map.of("data", Map.of(
        "id", id, "type", "org_authorized_clients", "attributes", Map.of("disabled", disabled)));
  }

  @Test
  @Order(1)
  void authorizedClientsAreListedFilteredSortedAndPaged() throws ApiException {
    assertEquals(CLIENTS, listed("sort", "oauth2_client.name"));
    Json page = admin.get(ORG, "filter", NAME, "include", "oauth2_client,user_authorized_clients.user");
    assertEquals(CLIENTS.size(), page.at("meta", "page", "total_filtered_count").value());
    assertEquals(1, page.at("data", 0, "attributes", "user_count").value());
    assertNotNull(page.at("data", 0, "attributes", "last_exercised").value());
    assertTrue(page.at("included").all().size() > CLIENTS.size());
    assertEquals(1, listed("page[size]", "1", "page[number]", "1").size());
    assertEquals(List.of(), listed("filter[disabled]", "true"));
  }

  @Test
  @Order(2)
  void oneClientIsReadWithItsPeople() throws ApiException {
    String path = ORG + "/" + CLIENTS.get(0);
    Json client = viewer.get(path, "include", "oauth2_client.scopes").at("data");
    assertEquals(CLIENTS.get(0), client.at("relationships", "oauth2_client", "data", "id").text());
    List<Json> people = viewer.get(path + "/user_authorized_clients").at("data").all();
    assertEquals(1, people.size());
    assertEquals("read", people.get(0).at("relationships", "scopes", "data", 0, "id").text());
    Json own = client.at("relationships", "user_authorized_clients", "data", 0, "id");
    assertEquals(own, people.get(0).at("id"));
  }

  @Test
  @Order(3)
  void errorsAreTheDocumentedOnes() {
    assertEquals("{\"errors\":[\"Unauthorized\"]}", refused(401, () -> nobody.get(ORG)));
    assertTrue(refused(403, () -> viewer.delete(ORG + "/" + CLIENTS.get(0))).contains("\"title\":\"Forbidden\""));
    refused(403, () -> admin.get(MINE));
    refused(403, () -> person.get(ORG));
    refused(404, () -> admin.get(ORG + "/" + UNKNOWN));
    refused(404, () -> admin.delete(ORG + "/" + UNKNOWN));
    refused(404, () -> person.get(MINE + "/" + UNKNOWN));
    refused(404, () -> person.delete(MINE + "/" + UNKNOWN));
    String large = refused(400, () -> admin.get(ORG, "page[size]", "101"));
    assertTrue(large.contains("\"parameter\":\"page[size]\""), large);
    String other = refused(422, () -> admin.call("PATCH", ORG + "/" + CLIENTS.get(0), update(UNKNOWN, true)));
    assertTrue(other.contains("\"pointer\":\"/data/id\""), other);
  }

  @Test
  @Order(4)
  void aPersonReadsAndRevokesTheirOwn() throws ApiException {
    List<Json> own = person.get(MINE, "filter", NAME, "include", "oauth2_client").at("data").all();
    assertEquals(CLIENTS.size(), own.size());
    String last = own.stream()
        .filter(one -> one.at("relationships", "oauth2_client", "data", "id").text().equals(CLIENTS.get(3)))
        .findFirst().orElseThrow().at("id").text();
    assertEquals(last, person.get(MINE + "/" + last).at("data", "id").text());
    person.delete(MINE + "/" + last);
    refused(404, () -> person.get(MINE + "/" + last));
    person.delete(MINE + "/client/" + CLIENTS.get(2));
    assertEquals(CLIENTS.subList(0, 2), listed("sort", "oauth2_client.name"));
  }

  @Test
  @Order(5)
  void aClientIsDisabledAndEnabled() throws ApiException {
    String id = CLIENTS.get(1);
    Json changed = admin.call("PATCH", ORG + "/" + id, update(id, true)).at("data", "attributes");
    assertEquals(List.of(true, 0), List.of(changed.at("disabled").value(), changed.at("user_count").value()));
    assertEquals(List.of(id), listed("filter[disabled]", "true"));
    admin.delete(ORG + "/" + id);
    assertEquals(List.of(id), listed("filter[disabled]", "true"));
    changed = admin.call("PATCH", ORG + "/" + id, update(id, false)).at("data", "attributes");
    assertEquals(false, changed.at("disabled").value());
  }

  @Test
  @Order(6)
  void auditEventsTellWhoDisabledIt() throws ApiException {
    AuditApi audit = new AuditApi(viewer.client());
    String query = "@action:client.suspended @client_id:" + CLIENTS.get(1);
    var events = audit.listAuditLogs(new AuditApi.ListAuditLogsOptionalParameters().filterQuery(query)).getData();
    assertEquals(1, events.size());
    Json attributes = new Json(events.get(0).getAttributes().getAttributes());
    assertEquals("operator", attributes.at("actor", "type").text());
    int count = 0;
    var paged = new AuditApi.ListAuditLogsOptionalParameters().filterQuery("@client_id:" + CLIENTS.get(1)).pageLimit(2);
    for (var event : audit.listAuditLogsWithPagination(paged)) {
      assertNotNull(event.getId());
      count++;
    }
    assertTrue(count > 2, "one page was read: " + count);
  }

  @Test
  @Order(8)
  void everyoneReadsTheSitesAndTheOpenIdDocument() throws ApiException {
    Json sites = anyone.get("/api/v2/oauth2/.well-known/sites").at("data", "attributes", "sites");
    assertEquals(List.of(URL.split("//")[1]), sites.value());
    assertEquals(URL, anyone.get("/api/v2/oauth2/.well-known/openid-configuration").at("issuer").text());
  }

  @Test
  @Order(9)
  void scopesAreRestrictedAndAllowedAgain() throws ApiException {
    String path = "/api/v2/oauth2/clients/" + CLIENTS.get(0) + "/scopes_restriction";
    assertNull(admin.get(path).at("data", "attributes", "scopes_restriction").value());
    Map<String, Object> scopes =
        Map.of("oidc_scopes", List.of("openid"), "permission_scopes", List.of("dashboards_read"));
    admin.call("POST", path, Map.of("data", Map.of("type", "upsert_scopes_restriction", "attributes", scopes)));
    assertEquals(scopes, admin.get(path).at("data", "attributes", "scopes_restriction").value());
    admin.delete(path);
    assertNull(admin.get(path).at("data", "attributes", "scopes_restriction").value());
    refused(404, () -> admin.get(path.replace(CLIENTS.get(0), UNKNOWN)));
  }

  @Test
  @Order(7)
  void theAuthorizationsOfOnePersonAreRevoked() throws ApiException {
    String path = ORG + "/" + CLIENTS.get(0);
    Json one = admin.get(path + "/user_authorized_clients").at("data", 0);
    String user = one.at("relationships", "user", "data", "id").text();
    refused(404, () -> admin.delete(path + "/user_authorized_clients/" + UNKNOWN));
    admin.delete(path + "/user_authorized_clients/" + one.at("id").text());
    refused(404, () -> admin.delete(path + "/user/" + user));
    admin.delete(ORG + "/" + System.getenv("DOORWARD_OWN_CLIENT") + "/user/" + user);
    refused(401, () -> person.get(MINE));
  }
}
