import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationRequest;
import com.nimbusds.oauth2.sdk.AuthorizationResponse;
import com.nimbusds.oauth2.sdk.GrantType;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.ResponseType;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthenticationMethod;
import com.nimbusds.oauth2.sdk.client.ClientInformation;
import com.nimbusds.oauth2.sdk.client.ClientMetadata;
import com.nimbusds.oauth2.sdk.client.ClientRegistrationRequest;
import com.nimbusds.oauth2.sdk.client.ClientRegistrationResponse;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.Tokens;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import java.net.URI;
import java.net.URL;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Nimbus, unmodified, as a client and as a resource server. */
class NimbusTest {
    static ClientInformation register(AuthorizationServerMetadata server) throws Exception {
        ClientMetadata metadata = new ClientMetadata();
        metadata.setName("Journey in Java");
        metadata.setRedirectionURI(Journey.REDIRECT_URI);
        metadata.setTokenEndpointAuthMethod(ClientAuthenticationMethod.NONE);
        metadata.setGrantTypes(Set.of(GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN));
        metadata.setScope(new Scope("tools:use"));
        var request = new ClientRegistrationRequest(server.getRegistrationEndpointURI(), metadata, null);
        var response = ClientRegistrationResponse.parse(request.toHTTPRequest().send());
        assertTrue(response.indicatesSuccess(), () -> response.toErrorResponse().getErrorObject().toString());
        return response.toSuccessResponse().getClientInformation();
    }

    static Tokens tokens(AuthorizationServerMetadata server, ClientInformation client) throws Exception {
        var verifier = new CodeVerifier();
        var state = new State();
        URI request = new AuthorizationRequest.Builder(ResponseType.CODE, client.getID())
            .endpointURI(server.getAuthorizationEndpointURI()).redirectionURI(Journey.REDIRECT_URI).state(state)
            .codeChallenge(verifier, CodeChallengeMethod.S256).resource(URI.create(Journey.TOOLS)).build().toURI();
        var answer = AuthorizationResponse.parse(Journey.decide(request)).toSuccessResponse();
        assertEquals(state, answer.getState());
        assertEquals(Journey.ISSUER, answer.getIssuer().getValue());
        var grant = new AuthorizationCodeGrant(answer.getAuthorizationCode(), Journey.REDIRECT_URI, verifier);
        return send(new TokenRequest(server.getTokenEndpointURI(), client.getID(), grant));
    }

    static Tokens send(TokenRequest request) throws Exception {
        var response = TokenResponse.parse(request.toHTTPRequest().send());
        assertTrue(response.indicatesSuccess(), () -> response.toErrorResponse().getErrorObject().toString());
        return response.toSuccessResponse().getTokens();
    }

    @Test
    void nimbusGoesFromDiscoveryToAVerifiedToken() throws Exception {
        // Both documents; OpenID Connect Discovery requires more members.
        var server = AuthorizationServerMetadata.resolve(new Issuer(Journey.ISSUER));
        var provider = OIDCProviderMetadata.resolve(new Issuer(Journey.ISSUER));
        assertEquals(server.getTokenEndpointURI(), provider.getTokenEndpointURI());
        ClientInformation client = register(server);
        Tokens tokens = tokens(server, client);

        JWTClaimsSet claims = verify(tokens.getAccessToken().getValue(), server.getJWKSetURI().toURL());
        assertEquals(client.getID().getValue(), claims.getStringClaim("client_id"));
        assertEquals("tools:use", claims.getStringClaim("scope"));

        var grant = new RefreshTokenGrant(tokens.getRefreshToken());
        Tokens renewed = send(new TokenRequest(server.getTokenEndpointURI(), client.getID(), grant));
        assertNotEquals(tokens.getRefreshToken(), renewed.getRefreshToken());
    }

    /** Verifies an access token as a resource server does. */
    static JWTClaimsSet verify(String token, URL jwks) throws Exception {
        // RFC 9068: the type of an access token.
        var type = new DefaultJOSEObjectTypeVerifier<SecurityContext>(new JOSEObjectType("at+jwt"));
        var expected = new JWTClaimsSet.Builder().issuer(Journey.ISSUER).build();
        var claims = new DefaultJWTClaimsVerifier<SecurityContext>(
            Journey.TOOLS, expected, Set.of("sub", "exp", "client_id", "jti"));
        SignedJWT parsed = Journey.parse(token);
        if (Journey.ALGORITHM.equals("EdDSA")) {
            // The processor below has no EdDSA: a program verifies the signature itself, with Tink on its class path.
            type.verify(parsed.getHeader().getType(), null);
            var key = JWKSet.load(jwks).getKeyByKeyId(parsed.getHeader().getKeyID()).toOctetKeyPair();
            assertTrue(parsed.verify(new Ed25519Verifier(key)));
            claims.verify(parsed.getJWTClaimsSet(), null);
            return parsed.getJWTClaimsSet();
        }
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSTypeVerifier(type);
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(
            JWSAlgorithm.parse(Journey.ALGORITHM), JWKSourceBuilder.create(jwks).build()));
        processor.setJWTClaimsSetVerifier(claims);
        return processor.process(parsed, null);
    }
}
