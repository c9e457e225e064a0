import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
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
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.authentication.BearerTokenAuthenticationToken;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationProvider;

/** Nimbus and Spring Security, unmodified, against one server that signs with ES256. */
class JourneyTest {
    static final String ISSUER = System.getenv("DOORWARD_URL");
    static final String TOOLS = System.getenv("TOOLS_URL");
    static final URI REDIRECT_URI = URI.create("http://localhost:8093/callback");

    /** Opens an authorization request as a person does, allows it, and returns where the person was sent. */
    static URI decide(URI request) throws Exception {
        Process person = new ProcessBuilder("node", "../person.mjs", request.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String printed = new String(person.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, person.waitFor());
        return URI.create(printed.strip());
    }

    static ClientInformation register(AuthorizationServerMetadata server) throws Exception {
        ClientMetadata metadata = new ClientMetadata();
        metadata.setName("Journey in Java");
        metadata.setRedirectionURI(REDIRECT_URI);
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
            .endpointURI(server.getAuthorizationEndpointURI()).redirectionURI(REDIRECT_URI).state(state)
            .codeChallenge(verifier, CodeChallengeMethod.S256).resource(URI.create(TOOLS)).build().toURI();
        var answer = AuthorizationResponse.parse(decide(request)).toSuccessResponse();
        assertEquals(state, answer.getState());
        assertEquals(ISSUER, answer.getIssuer().getValue());
        var grant = new AuthorizationCodeGrant(answer.getAuthorizationCode(), REDIRECT_URI, verifier);
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
        var server = AuthorizationServerMetadata.resolve(new Issuer(ISSUER));
        var provider = OIDCProviderMetadata.resolve(new Issuer(ISSUER));
        assertEquals(server.getTokenEndpointURI(), provider.getTokenEndpointURI());
        ClientInformation client = register(server);
        Tokens tokens = tokens(server, client);

        var processor = new DefaultJWTProcessor<SecurityContext>();
        // RFC 9068: the type of an access token.
        processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
        var keys = JWKSourceBuilder.create(server.getJWKSetURI().toURL()).build();
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
        var expected = new JWTClaimsSet.Builder().issuer(ISSUER).build();
        processor.setJWTClaimsSetVerifier(
            new DefaultJWTClaimsVerifier<>(TOOLS, expected, Set.of("sub", "exp", "client_id", "jti")));
        JWTClaimsSet claims = processor.process(tokens.getAccessToken().getValue(), null);
        assertEquals(client.getID().getValue(), claims.getStringClaim("client_id"));
        assertEquals("tools:use", claims.getStringClaim("scope"));

        var grant = new RefreshTokenGrant(tokens.getRefreshToken());
        Tokens renewed = send(new TokenRequest(server.getTokenEndpointURI(), client.getID(), grant));
        assertNotEquals(tokens.getRefreshToken(), renewed.getRefreshToken());
    }

    @Test
    void springSecurityTakesTheIssuerAsAClientAndChecksTokensAsAResourceServer() throws Exception {
        // What `spring.security.oauth2.client.provider.*.issuer-uri` does.
        ClientRegistration registration =
            ClientRegistrations.fromIssuerLocation(ISSUER).clientId("any").redirectUri(REDIRECT_URI.toString()).build();
        assertEquals(AuthorizationGrantType.AUTHORIZATION_CODE, registration.getAuthorizationGrantType());
        assertEquals(ISSUER + "/oauth2/token", registration.getProviderDetails().getTokenUri());
        assertTrue(ClientRegistrations.fromOidcIssuerLocation(ISSUER).clientId("any").build() != null);

        var server = AuthorizationServerMetadata.resolve(new Issuer(ISSUER));
        String token = tokens(server, register(server)).getAccessToken().getValue();
        String jwks = registration.getProviderDetails().getJwkSetUri();

        // The one bean of a resource server: the type of RFC 9068, and the algorithm.
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSetUri(jwks)
            .jwsAlgorithm(SignatureAlgorithm.ES256)
            .jwtProcessorCustomizer(processor -> processor.setJWSTypeVerifier(
                new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt"))))
            .build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
            JwtValidators.createDefaultWithIssuer(ISSUER),
            new JwtClaimValidator<java.util.List<String>>("aud", audience -> audience.contains(TOOLS))));
        Jwt jwt = decoder.decode(token);
        assertEquals("tools:use", jwt.getClaimAsString("scope"));
        var who = new JwtAuthenticationProvider(decoder).authenticate(new BearerTokenAuthenticationToken(token));
        assertTrue(who.getAuthorities().stream().anyMatch(one -> one.getAuthority().equals("SCOPE_tools:use")));

        // Without the bean, Spring Security rejects the type.
        NimbusJwtDecoder plain =
            NimbusJwtDecoder.withJwkSetUri(jwks).jwsAlgorithm(SignatureAlgorithm.ES256).build();
        assertThrows(BadJwtException.class, () -> plain.decode(token));
        assertFalse(token.isEmpty());
    }
}
