import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.client.ClientDeleteRequest;
import com.nimbusds.oauth2.sdk.client.ClientInformation;
import com.nimbusds.oauth2.sdk.client.ClientMetadata;
import com.nimbusds.oauth2.sdk.client.ClientReadRequest;
import com.nimbusds.oauth2.sdk.client.ClientRegistrationResponse;
import com.nimbusds.oauth2.sdk.client.ClientUpdateRequest;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import java.net.URI;
import net.minidev.json.JSONObject;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nimbus, unmodified, as a client that reads, replaces, and removes its own registration (RFC 7592). */
class NimbusManagementTest {
    AuthorizationServerMetadata server;
    ClientInformation client;

    @BeforeEach
    void register() throws Exception {
        server = AuthorizationServerMetadata.resolve(new Issuer(Journey.ISSUER));
        client = NimbusTest.register(server);
    }

    static ClientInformation send(HTTPRequest request) throws Exception {
        var response = ClientRegistrationResponse.parse(request.send());
        assertTrue(response.indicatesSuccess(), () -> response.toErrorResponse().getErrorObject().toJSONObject().toString());
        return response.toSuccessResponse().getClientInformation();
    }

    static ClientInformation read(ClientInformation client) throws Exception {
        return send(new ClientReadRequest(client.getRegistrationURI(), client.getRegistrationAccessToken()).toHTTPRequest());
    }

    static HTTPRequest update(ClientInformation client, ClientMetadata metadata) {
        var token = client.getRegistrationAccessToken();
        return new ClientUpdateRequest(client.getRegistrationURI(), client.getID(), token, metadata, null).toHTTPRequest();
    }

    /** What was registered, without what Nimbus keeps there of the server: RFC 7592 §2.2 forbids it in an update. */
    static ClientMetadata metadata(ClientInformation client) {
        ClientMetadata metadata = new ClientMetadata(client.getMetadata());
        metadata.setCustomFields(new JSONObject());
        return metadata;
    }

    static void isRejected(HTTPRequest request) throws Exception {
        HTTPResponse response = request.send();
        assertEquals(401, response.getStatusCode());
        assertEquals("invalid_token", ClientRegistrationResponse.parse(response).toErrorResponse().getErrorObject().getCode());
    }

    @Test
    void aClientReadsWhatItRegistered() throws Exception {
        ClientInformation found = read(client);
        assertEquals(client.toJSONObject(), found.toJSONObject());
        var of = NimbusTest.register(server).getRegistrationAccessToken();
        isRejected(new ClientReadRequest(client.getRegistrationURI(), of).toHTTPRequest());
        isRejected(new ClientReadRequest(client.getRegistrationURI(), new BearerAccessToken()).toHTTPRequest());
    }

    @Test
    void anUpdateReplacesAllMetadataAndTheToken() throws Exception {
        ClientMetadata metadata = metadata(client);
        metadata.setName("Renamed in Java");
        metadata.setURI(URI.create("https://app.example"));
        ClientInformation renamed = send(update(client, metadata));
        assertEquals(client.getID(), renamed.getID());
        assertEquals("Renamed in Java", renamed.getMetadata().getName());
        assertNotEquals(client.getRegistrationAccessToken(), renamed.getRegistrationAccessToken());
        assertEquals(renamed.toJSONObject(), read(renamed).toJSONObject());

        isRejected(update(client, metadata));
        metadata.setURI(null);
        assertNull(send(update(renamed, metadata)).getMetadata().getURI(), "an omitted member is removed");
    }

    @Test
    void anUpdateThatBreaksARuleIsRejectedAndChangesNothing() throws Exception {
        ClientMetadata metadata = metadata(client);
        metadata.setRedirectionURI(URI.create("http://app.example/callback"));
        HTTPResponse response = update(client, metadata).send();
        var error = ClientRegistrationResponse.parse(response).toErrorResponse().getErrorObject();
        assertEquals("invalid_redirect_uri", error.getCode());
        assertEquals(client.toJSONObject(), read(client).toJSONObject());
    }

    @Test
    void aRemovalEndsTheTokensOfTheClient() throws Exception {
        var tokens = NimbusTest.tokens(server, client);
        HTTPRequest removal = new ClientDeleteRequest(client.getRegistrationURI(), client.getRegistrationAccessToken()).toHTTPRequest();
        assertEquals(204, removal.send().getStatusCode());

        isRejected(removal);
        assertThrows(AssertionError.class, () -> read(client));
        var grant = new RefreshTokenGrant(tokens.getRefreshToken());
        var refreshed = new TokenRequest(server.getTokenEndpointURI(), client.getID(), grant).toHTTPRequest().send();
        assertEquals("invalid_client", TokenResponse.parse(refreshed).toErrorResponse().getErrorObject().getCode());
    }
}
